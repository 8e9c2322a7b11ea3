"""The machine room: register functions, the product of any size, packing, aligned memory."""

import sys

import numba
import numpy as np
import pytest
from conftest import assert_close, assert_same_bits, every_dtype, needs_jit, sized
from numba.core.dispatcher import Dispatcher

from rnnlite.engine.memory import CACHE_LINE, aligned_zeros
from rnnlite.kernels import activations, product, simd, target
from rnnlite.kernels.jit import OPTIONS, inner
from rnnlite.kernels.target import CHOSEN, lanes_of, padded

# A guard value: a sum of the small whole numbers below never equals it, and arithmetic on it
# would not either.
GUARD = 123456.0
entry = numba.njit(**OPTIONS)  # called from Python, and not kept on disk


def entry_to(part):
    """A function that only kernels call, as one that Python may call."""

    @entry
    def call(*arguments):
        return part(*arguments)

    return call


the_product, pack, pack_transposed = map(
    entry_to, (product.product, product.pack, product.pack_transposed)
)
# Guard values behind an array: a mistake of a whole tile still falls on them, not on memory
# that belongs to somebody else.
ROOM = 256


def over_arrays(function):
    """A register function as a function of whole arrays, ``compute(x, result)``."""
    load_masked, store_masked, lanes = simd.load_masked, simd.store_masked, simd.lanes

    @entry
    def compute(x, result):
        for j in range(0, x.size, lanes(x)):
            store_masked(result, j, function(load_masked(x, j, x.size - j)), x.size - j)

    def call(x):
        memory = np.full(x.size + ROOM, GUARD, x.dtype)
        result = memory[: x.size]
        with np.errstate(over="ignore"):  # 2x of the largest number; registers are silent
            compute(x, result)
        np.testing.assert_array_equal(memory[x.size :], GUARD, "written beyond the array")
        return result

    return call


tanh, sigmoid, relu = (
    over_arrays(function) for function in (activations.tanh, activations.sigmoid, activations.relu)
)


# --- activations ----------------------------------------------------------------------------

WIDE = np.float64 if np.finfo(np.longdouble).nmant < 60 else np.longdouble


def true_tanh(x):
    return np.tanh(x.astype(WIDE))


def true_sigmoid(x):
    e = np.exp(-np.abs(x.astype(WIDE)))
    return np.where(x >= 0, 1, e) / (1 + e)


def every_magnitude(dtype, largest, count, seed=0):
    """Numbers of both signs, evenly spread and down to the smallest normal exponents."""
    rng = np.random.default_rng(seed)
    even = rng.uniform(-largest, largest, count)
    smallest = np.log(float(np.finfo(dtype).tiny)) / 2
    small = np.exp(rng.uniform(smallest, np.log(largest), count)) * rng.choice([-1, 1], count)
    return np.concatenate([even, small]).astype(dtype)


def ulps(got, truth):
    """Distance from the truth in units of the last place of the nearest result."""
    return np.abs(got - truth) / np.spacing(np.abs(truth).astype(got.dtype))


@every_dtype
@pytest.mark.parametrize("largest", [1e-3, 1.0, 5.0, 20.0, 86.0])
@pytest.mark.parametrize(
    ("function", "truth"),
    [(tanh, true_tanh), (sigmoid, true_sigmoid)],
    ids=["tanh", "sigmoid"],
)
def test_activations_are_right_to_three_units_in_the_last_place(function, truth, largest, dtype):
    x = every_magnitude(dtype, largest, sized(200_000, 4_000))
    error = ulps(function(x), truth(x))
    worst = error.argmax()
    assert error[worst] < 3.0, f"{float(error[worst]):.2f} ulp at {x[worst]!r}"


@every_dtype
@pytest.mark.parametrize("function", [tanh, sigmoid, relu], ids=["tanh", "sigmoid", "relu"])
def test_nan_stays_nan_and_troubles_no_other_lane(function, dtype):
    lanes = lanes_of(np.dtype(dtype))
    x = np.linspace(-3, 3, 3 * lanes + 1).astype(dtype)
    clean = function(x)
    for place in (0, lanes - 1, lanes + 1, 3 * lanes):
        dirty = x.copy()
        dirty[place] = np.nan
        result = function(dirty)
        assert np.isnan(result[place])
        result[place] = clean[place]
        assert_same_bits("the other lanes", result, clean)


@every_dtype
def test_tanh_saturates_at_exactly_one(dtype):
    x = np.array([19.1, 20.0, 100.0, 1e5, 1e30, np.finfo(dtype).max, np.inf], dtype)
    assert_same_bits("tanh(x)", tanh(x), np.ones_like(x))
    assert_same_bits("tanh(-x)", tanh(-x), -np.ones_like(x))


@every_dtype
def test_sigmoid_saturates_at_exactly_one_and_just_above_zero(dtype):
    largest = np.finfo(dtype).max
    above = np.array([40.0, 100.0, 1e5, 1e30, largest, np.inf], dtype)
    assert_same_bits("sigmoid", sigmoid(above), np.ones_like(above))
    edge = 87.0 if dtype == np.float32 else 708.0
    below = sigmoid(np.array([-edge, -edge - 1, -1e5, -1e30, -largest, -np.inf], dtype))
    assert np.all(below == below[0])
    assert 0.0 < below[0] < 2 * np.exp(-edge)


@every_dtype
@pytest.mark.parametrize("function", [tanh, sigmoid], ids=["tanh", "sigmoid"])
def test_activations_never_leave_their_range(function, dtype):
    x = every_magnitude(dtype, 700.0, sized(100_000, 2_000), seed=1)
    result = function(x)
    low = -1.0 if function is tanh else 0.0
    assert result.min() >= low
    assert result.max() <= 1.0


@every_dtype
def test_activations_of_zero_are_exact(dtype):
    zero = np.array([0.0, -0.0], dtype)
    assert np.all(tanh(zero) == 0.0)
    assert np.all(sigmoid(zero) == 0.5)
    assert np.all(relu(zero) == 0.0)


@every_dtype
def test_relu_is_the_larger_of_x_and_zero(dtype):
    x = np.array([-np.inf, -2.5, -1e-30, 0.0, 1e-30, 2.5, np.inf], dtype)
    np.testing.assert_array_equal(relu(x), np.maximum(x, 0))


# --- registers ------------------------------------------------------------------------------


@every_dtype
def test_a_partial_register_touches_only_its_lanes(dtype):
    lanes = lanes_of(np.dtype(dtype))
    load_masked, store_masked = simd.load_masked, simd.store_masked

    @entry
    def copy_some(source, target, position, count):
        store_masked(target, position, load_masked(source, position, count), count)

    for count in (-3, 0, 1, lanes - 1, lanes, lanes + 5):
        source = np.arange(1, 3 * lanes + ROOM).astype(dtype)
        target = np.full_like(source, GUARD)
        copy_some(source, target, 1, count)
        expected = np.full_like(source, GUARD)
        copied = slice(1, 1 + min(max(count, 0), lanes))
        expected[copied] = source[copied]
        assert_same_bits(f"target for count {count}", target, expected)


@every_dtype
def test_lanes_that_were_not_loaded_are_zero(dtype):
    lanes = lanes_of(np.dtype(dtype))
    load_masked, store = simd.load_masked, simd.store

    @entry
    def spread(source, target, count):
        store(target, 0, load_masked(source, 0, count))

    source, target = np.full(ROOM, np.nan, dtype), np.full(ROOM, GUARD, dtype)
    source[:2] = 7.0
    spread(source, target, 2)
    np.testing.assert_array_equal(target[:2], 7.0)
    np.testing.assert_array_equal(target[2:lanes], 0.0)
    np.testing.assert_array_equal(target[lanes:], GUARD)


@every_dtype
def test_where_positive_takes_the_value_only_above_zero(dtype):
    lanes = lanes_of(np.dtype(dtype))
    load, store, where_positive = simd.load, simd.store, simd.where_positive

    @entry
    def choose(condition, value, result):
        store(result, 0, where_positive(load(condition, 0), load(value, 0)))

    for condition, taken in [(1e-30, True), (np.inf, True), (0.0, False), (-0.0, False),
                             (-1.0, False), (np.nan, False)]:  # fmt: skip
        result = np.full(lanes, GUARD, dtype)
        choose(np.full(lanes, condition, dtype), np.full(lanes, 5.0, dtype), result)
        np.testing.assert_array_equal(result, 5.0 if taken else 0.0)


@every_dtype
def test_padded_sizes_are_whole_registers(dtype):
    lanes = CHOSEN.vector_bytes // np.dtype(dtype).itemsize
    for size in range(3 * lanes):
        result = padded(size, np.dtype(dtype))
        assert result % lanes == 0
        assert size <= result < size + lanes


# --- the product ----------------------------------------------------------------------------


def whole_numbers(rng, shape, dtype):
    """Small whole numbers: every sum of their products is exact, in any order."""
    return rng.integers(-4, 5, shape).astype(dtype)


def embedded(matrix, row, start, transposed=False):
    """The matrix inside a flat array of NaN, rows (or columns) ``row`` numbers apart."""
    rows, columns = matrix.shape[::-1] if transposed else matrix.shape
    flat = np.full(start + rows * row + 7, np.nan, matrix.dtype)
    place = start + np.arange(rows)[:, None] * row + np.arange(columns)
    flat[place] = matrix.T if transposed else matrix
    return flat


def packed(matrix):
    """The matrix cut into panels, written with plain loops and a flat index."""
    K, N = matrix.shape
    width = product.panel_width(matrix.dtype)
    flat = np.zeros(product.packed_size(K, N, matrix.dtype), matrix.dtype)
    for n in range(N):
        for k in range(K):
            flat[(n // width) * K * width + k * width + n % width] = matrix[k, n]
    return flat


def check_product(rng, M, N, K, dtype, transposed, is_packed, start):
    """C = S + A W somewhere inside larger arrays; ``start`` is "zeros", "matrix" or "result"."""
    A, W, S = (whole_numbers(rng, shape, dtype) for shape in ((M, K), (K, N), (M, N)))
    width = product.panel_width(dtype)
    a0, c0, c_row = (int(n) for n in rng.integers(0, 9, 3))
    c_row += N
    if transposed:
        a_row, a_k = 1, M + int(rng.integers(0, 4))
        a = embedded(A, a_k, a0, transposed=True)
    else:
        a_row, a_k = K + int(rng.integers(0, 4)), 1
        a = embedded(A, a_row, a0)
    if is_packed:
        w0, w_k, w_panel, w = 0, width, K * width, packed(W)
    else:  # rows of an ordinary matrix, padded on the right (with NaN, which must not spread)
        w0, w_k, w_panel = int(rng.integers(0, 9)), -(-N // width) * width, width
        w = np.full(w0 + K * w_k, np.nan, dtype)
        w[w0:].reshape(K, w_k)[:, :N] = W
    c = np.full(c0 + M * c_row + ROOM, GUARD, dtype)
    result = c[c0 : c0 + M * c_row].reshape(M, c_row)[:, :N]
    if start == "zeros":
        S[...] = 0
        s, s0, s_row = np.zeros(N + width, dtype), 0, 0
    elif start == "matrix":
        s0, s_row = int(rng.integers(0, 9)), N + int(rng.integers(0, 4))
        s = embedded(S, s_row, s0)
    else:
        result[...] = S
        s, s0, s_row = c, c0, c_row

    expected = c.copy()
    expected[c0 : c0 + M * c_row].reshape(M, c_row)[:, :N] = S + A @ W
    the_product(s, s0, s_row, a, a0, a_row, a_k, w, w0, w_k, w_panel, c, c0, c_row, M, K, N)
    name = f"C of M={M} N={N} K={K} transposed={transposed} packed={is_packed} start={start}"
    assert_same_bits(name, c, expected)


@pytest.mark.quick(every=3)
@every_dtype
@pytest.mark.parametrize("start", ["zeros", "matrix", "result"])
@pytest.mark.parametrize("is_packed", [True, False], ids=["packed", "rows of W"])
@pytest.mark.parametrize("transposed", [False, True], ids=["A", "A transposed"])
def test_product_of_any_size_is_exact_and_writes_nothing_outside(
    dtype, transposed, is_packed, start
):
    rng = np.random.default_rng([transposed, is_packed, len(start)])
    for M in range(1, 21):
        for N in rng.permutation(np.arange(1, 71))[: sized(14, 3)]:
            K = int(rng.integers(1, 41))
            check_product(rng, M, int(N), K, dtype, transposed, is_packed, start)


@every_dtype
def test_product_of_every_width_is_exact(dtype):
    rng = np.random.default_rng(7)
    for N in range(1, 71):
        check_product(rng, CHOSEN.tile_rows + 3, N, 5, dtype, False, True, "zeros")


@every_dtype
def test_product_rounds_no_worse_than_numpy(dtype):
    rng = np.random.default_rng(3)
    M, N, K = 23, 45, sized(400, 60)
    A, W = rng.normal(size=(M, K)).astype(dtype), rng.normal(size=(K, N)).astype(dtype)
    c, width = np.empty(M * N + ROOM, dtype), product.panel_width(dtype)
    the_product(np.zeros(N + width, dtype), 0, 0, A.ravel(), 0, K, 1,
                packed(W), 0, width, K * width, c, 0, N, M, K, N)  # fmt: skip
    truth = A.astype(np.longdouble) @ W.astype(np.longdouble)
    bound = np.abs(A).astype(np.longdouble) @ np.abs(W).astype(np.longdouble)
    error = np.abs(c[:-ROOM].reshape(M, N) - truth) / bound
    assert error.max() < np.sqrt(K) * np.finfo(dtype).eps


@needs_jit
@every_dtype
@pytest.mark.parametrize("is_packed", [True, False], ids=["packed", "rows of W"])
def test_the_bits_of_a_row_do_not_depend_on_its_neighbours(dtype, is_packed):
    rng = np.random.default_rng(5)
    M, N, K = 21, 45, 37
    width = product.panel_width(dtype)
    N_padded = -(-N // width) * width
    A, W = rng.normal(size=(M, K)).astype(dtype), rng.normal(size=(K, N)).astype(dtype)
    if is_packed:
        w, w_k, w_panel = packed(W), width, K * width
    else:
        w, w_k, w_panel = np.pad(W, [(0, 0), (0, N_padded - N)]).ravel(), N_padded, width
    zeros = np.zeros(N_padded, dtype)

    def rows(first, last):
        c = np.empty((last - first) * N + ROOM, dtype)
        the_product(zeros, 0, 0, A.ravel(), first * K, K, 1, w, 0, w_k, w_panel,
                    c, 0, N, last - first, K, N)  # fmt: skip
        return c[:-ROOM].reshape(-1, N)

    together = rows(0, M)
    for first in range(M):
        for last in range(first + 1, M + 1):
            assert_same_bits(f"rows {first} to {last}", rows(first, last), together[first:last])


@every_dtype
def test_nan_in_a_row_of_a_reaches_that_row_alone(dtype):
    rng = np.random.default_rng(6)
    M, N, K, width = 13, 20, 9, product.panel_width(dtype)
    A, W = whole_numbers(rng, (M, K), dtype), whole_numbers(rng, (K, N), dtype)
    A[4, 2] = np.nan
    c = np.empty(M * N + ROOM, dtype)
    the_product(np.zeros(N + width, dtype), 0, 0, A.ravel(), 0, K, 1,
                packed(W), 0, width, K * width, c, 0, N, M, K, N)  # fmt: skip
    assert_same_bits("C", c[:-ROOM].reshape(M, N), A @ W)
    assert np.isnan(c[:-ROOM].reshape(M, N)[4]).all()
    assert np.isfinite(np.delete(c[:-ROOM].reshape(M, N), 4, axis=0)).all()


# --- packing --------------------------------------------------------------------------------


@every_dtype
@pytest.mark.parametrize("transposed", [False, True], ids=["as it is", "transposed"])
@pytest.mark.parametrize("N", [1, 7, 16, 17, 31, 32, 33, 64, 70])
@pytest.mark.parametrize("K", [1, 5, 12, 16, 35])
def test_pack_puts_every_element_into_its_panel(K, N, transposed, dtype):
    rng = np.random.default_rng([K, N])
    matrix = whole_numbers(rng, (K, N), dtype)
    source = np.ascontiguousarray(matrix.T if transposed else matrix)
    source = np.pad(source, [(0, 0), (0, 3)], constant_values=np.nan)  # longer rows
    target = aligned_zeros(product.packed_size(K, N, dtype), dtype)
    if transposed:
        pack_transposed(source.ravel(), 0, source.shape[1], K, N, target, 0, 0, K)
    else:
        pack(source.ravel(), 0, source.shape[1], K, N, target, 0, 0, 0, K)
    assert_same_bits("packed W", target, packed(matrix))


@every_dtype
@pytest.mark.parametrize("where", ["at a register", "within one"])
def test_pack_writes_a_block_of_a_larger_matrix_and_nothing_else(where, dtype):
    """A matrix of 9 rows; rows 3 to 7, from some column on, are packed."""
    rng = np.random.default_rng(1)
    lanes, width = lanes_of(np.dtype(dtype)), product.panel_width(dtype)
    rows, K, k0, p0 = 9, 4, 3, 5
    n0 = lanes if where == "at a register" else lanes + 1
    for N in (1, lanes - 1, lanes, lanes + 1, 2 * width - n0):
        matrix = whole_numbers(rng, (K, N), dtype)
        whole = np.full((rows, 2 * width), GUARD, dtype)
        target = np.full(p0 + whole.size, GUARD, dtype)
        pack(np.append(matrix.ravel(), np.full(3, np.nan)).astype(dtype),
             0, N, K, N, target, p0, n0, k0, rows)  # fmt: skip
        whole[k0 : k0 + K, n0 : n0 + N] = matrix
        assert_same_bits(f"panels for N={N}", target[p0:], packed(whole))
        np.testing.assert_array_equal(target[:p0], GUARD)


@every_dtype
def test_packed_size_holds_whole_panels(dtype):
    width = product.panel_width(dtype)
    assert width == CHOSEN.tile_vectors * lanes_of(np.dtype(dtype))
    assert product.packed_size(7, 1, dtype) == 7 * width
    assert product.packed_size(7, width, dtype) == 7 * width
    assert product.packed_size(7, width + 1, dtype) == 14 * width


# --- memory ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", np.float64, np.dtype("int64")])
@pytest.mark.parametrize("shape", [0, 1, 17, (3, 5), (0, 4), (2, 3, 7), (1000, 33)])
def test_aligned_zeros_are_aligned_zero_and_have_room_behind(shape, dtype):
    for _ in range(5):  # wherever the allocator puts it
        array = aligned_zeros(shape, dtype)
        assert array.shape == (shape if isinstance(shape, tuple) else (shape,))
        assert array.dtype == np.dtype(dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not array.any()
        if array.size:
            assert array.ctypes.data % CACHE_LINE == 0
            owner = array
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            behind = owner.ctypes.data + owner.nbytes - (array.ctypes.data + array.nbytes)
            assert behind >= product.TILE_VECTORS * CHOSEN.vector_bytes
        array[...] = 1


def test_aligned_arrays_do_not_share_memory():
    first, second = aligned_zeros(10, "float32"), aligned_zeros(10, "float32")
    first[...] = 1.0
    assert_close("second", second, np.zeros(10), 0.0)


# ---- which registers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "name"),
    [
        (("avx512f", "avx2", "fma"), "avx512"), (("avx2", "fma"), "avx2"), (("avx2",), "sse2"),
        (("fma",), "sse2"), (("neon",), "neon"), ((), "sse2"),
    ],
)  # fmt: skip
def test_the_widest_registers_of_a_processor_are_chosen(monkeypatch, features, name):
    monkeypatch.delenv("RNNLITE_SIMD", raising=False)
    found = dict.fromkeys(("avx512f", "avx2", "fma", "neon"), False) | dict.fromkeys(features, True)
    monkeypatch.setattr(target.llvm, "get_host_cpu_features", lambda: found)
    assert target.choose().name == name


def test_pairs_are_multiplied_where_the_processor_does_and_not_forced_where_it_does_not(
    monkeypatch,
):
    monkeypatch.delenv("RNNLITE_SIMD", raising=False)
    for names, multiplies in (
        (("avx512f",), False), (("avx512f", "avx512bf16"), True), (("avx512bf16",), False)
    ):  # fmt: skip
        found = dict.fromkeys(("avx512f", "avx512bf16", "avx2"), False) | dict.fromkeys(names, True)
        monkeypatch.setattr(target.llvm, "get_host_cpu_features", lambda found=found: found)
        assert target.choose().multiplies_pairs == multiplies
    monkeypatch.setenv("RNNLITE_SIMD", "avx512bf16")
    with pytest.raises(ValueError, match="'avx512bf16', which this processor does not have"):
        target.choose()


# ---- how kernels are compiled --------------------------------------------------------------------


@needs_jit
@pytest.mark.parametrize("arguments", [(), (1.0,), (1.0, 2.0), (np.ones(3),)], ids=len)
def test_what_only_kernels_call_answers_python_with_an_error(arguments):
    part = inner(lambda *numbers: 1.0)
    for _ in range(2):  # compiled, and found
        with pytest.raises((TypeError, ValueError)):
            part(*arguments)


@needs_jit
def test_all_that_is_compiled_has_the_options_of_the_library():
    found = {}
    for module in (name for name in sys.modules if name.startswith("rnnlite.kernels.")):
        for name, value in vars(sys.modules[module]).items():
            function = getattr(value, "run", value)  # of a parallel kernel
            if isinstance(function, Dispatcher):
                found[name] = function.targetoptions
    assert len(found) > 20
    for name, options in found.items():
        wrong = {key for key, value in OPTIONS.items() if options.get(key) != value}
        assert wrong <= ({"fastmath"} if options.get("fastmath") is False else set()), name
