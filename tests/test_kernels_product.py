"""The product of any size and the packing of its matrices, exact, and nothing outside written."""

import numpy as np
import pytest
from conftest import assert_same_bits, every_dtype, needs_jit, sized
from kernel_entries import GUARD, ROOM, entry

from rnnlite.engine.memory import aligned_zeros
from rnnlite.kernels import product
from rnnlite.kernels.target import CHOSEN, lanes_of


def entry_to(part):
    """A function that only kernels call, as one that Python may call."""

    @entry
    def call(*arguments):
        return part(*arguments)

    return call


the_product, pack, pack_transposed = map(
    entry_to, (product.product, product.pack, product.pack_transposed)
)


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
        check_product(rng, CHOSEN.tile_rows + 3, N, 5, dtype, False, True, "result")


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
