"""The machine room: registers, which a processor has, aligned memory, and how it is compiled."""

import sys

import numpy as np
import pytest
from conftest import assert_close, assert_same_bits, every_dtype, needs_jit
from kernel_entries import GUARD, ROOM, entry
from numba.core.dispatcher import Dispatcher

from rnnlite.engine.memory import CACHE_LINE, aligned_zeros
from rnnlite.kernels import product, simd, target
from rnnlite.kernels.jit import OPTIONS, inner
from rnnlite.kernels.target import CHOSEN, lanes_of, padded


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
