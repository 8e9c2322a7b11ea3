"""``compute_dtype="bfloat16"``: what it must not change, the option, and the instruction."""

import os
import subprocess
import sys

import llvmlite.binding as llvm
import numpy as np
import pytest
from conftest import LSTM, RNN_TANH, assert_same_bits, for_each, needs_jit

import rnnlite
from rnnlite import cells, checking, gradcheck, reference
from rnnlite.layers import Bidirectional, Dense, Dropout, Embedding, Sequential

ROUNDED = {"compute_dtype": "bfloat16"}


# --- what it must not change ----------------------------------------------------------------


def model():
    return Sequential([
        Embedding(11, 5, seed=0),
        Bidirectional(rnnlite.LSTM(5, 7, return_sequences=True, recurrent_dropout=0.3, seed=1)),
        Dropout(0.2, seed=2),
        rnnlite.LSTM(14, 9, seed=3),
        Dense(9, 4, seed=4, activation="tanh"),
    ])  # fmt: skip


def trained(network, threads=1):
    rnnlite.set_num_threads(threads)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 11, (41, 5)), rng.integers(0, 4, 41)
    lengths, optimizer = rng.integers(1, 6, 41), rnnlite.Adam(network, lr=0.01)
    for _ in range(2):
        logits = network.forward(x, lengths=lengths, training=True)
        _, dlogits = rnnlite.softmax_cross_entropy(logits, y)
        network.backward(dlogits)
        optimizer.step()
    return network


@pytest.mark.long
@needs_jit
@pytest.mark.parametrize("compute", checking.ROUNDED)
def test_any_number_of_threads_gives_the_same_bits(compute, monkeypatch):
    monkeypatch.setattr(rnnlite.engine.threads, "WORTH_A_THREAD", 1_000)
    alone = trained(model().copy(compute_dtype=compute))
    for threads in (2, 3):
        together = trained(model().copy(compute_dtype=compute), threads)
        assert_same_bits("weights", together.flat_params, alone.flat_params)
        assert_same_bits("gradients", together.flat_grads, alone.flat_grads)
    plain = trained(model())
    assert 0 < np.abs(plain.flat_params - alone.flat_params).max() < 0.05


@pytest.mark.parametrize("compiled", [True, False])
def test_the_weight_gradients_alone_can_be_rounded(compiled):
    """The rest has the bits of float32: y, dx, and what a stream answers."""
    cell = cells.RNN["tanh"]._replace(compiled=compiled)
    layers = rnnlite.Recurrent(cell, 5, 6, return_sequences=True, seed=0), Dense(6, 3, seed=1)
    plain = Sequential(layers)
    twin = plain.copy(compute_dtype="bfloat16_weight_gradients")
    x, dy = (np.random.default_rng(n).normal(size=(9, 4, n)).astype("f") for n in (5, 3))
    assert_same_bits("y", twin.forward(x), plain.forward(x))
    assert_same_bits("dx", twin.backward(dy), plain.backward(dy))
    difference = np.abs(twin.flat_grads - plain.flat_grads)
    assert (difference > 0).mean() > 0.9
    assert difference.max() < 0.02 * np.abs(plain.flat_grads).max()
    if compiled:
        assert_same_bits("stream", twin.stream(9)(x[:, 0]), plain.stream(9)(x[:, 0]))


@needs_jit
def test_arrays_are_float32_and_results_do_not_depend_on_the_rows_beside():
    layer = rnnlite.RNN(5, 6, return_sequences=True, seed=0, **ROUNDED)
    x = np.random.default_rng(0).normal(size=(19, 4, 5)).astype("f")
    y = layer(x)
    assert y.dtype == layer.params["Wx"].dtype == np.float32
    assert (layer.params["Wx"] != reference.to_bfloat16(layer.params["Wx"])).any()
    for row in (0, 18):
        assert_same_bits("y", layer(x[row : row + 1])[0], y[row])


@pytest.mark.long
@for_each([RNN_TANH, LSTM])
def test_nan_and_infinity_pass_as_in_float32(cell):
    layer = cell.make(5, 6, seed=0, return_sequences=True)
    twin = layer.copy(compute_dtype="bfloat16")
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("f")
    for value in (np.nan, np.inf, -np.inf):
        x[1, 2, 3] = value
        found = []
        for each in (layer, twin):
            y = each.forward(x)
            with np.errstate(invalid="ignore"):
                found.append({"y": y, "dx": each.backward(np.ones_like(y)), **each.grads})
        for name, array in found[0].items():
            assert_same_bits(name, np.isnan(found[1][name]), np.isnan(array))
        assert np.isnan(found[1]["y"][1, 2:]).any() == np.isnan(value)
        assert not np.isnan(found[1]["y"][[0, 2]]).any()


# --- the option -----------------------------------------------------------------------------


def test_the_option_is_told_copied_and_refused():
    layer = rnnlite.LSTM(3, 4, seed=0, **ROUNDED)
    assert repr(layer) == "LSTM(3, 4, compute_dtype='bfloat16')" == repr(layer.copy())
    assert repr(layer.copy(compute_dtype="float32")) == "LSTM(3, 4)"
    assert repr(rnnlite.LSTM(3, 4, compute_dtype="float32")) == "LSTM(3, 4)"
    assert layer.copy("float64").compute_dtype is None
    whole = model().copy(compute_dtype="bfloat16")
    inside = [part.compute_dtype for _, part in whole.walk() if hasattr(part, "compute_dtype")]
    assert inside == ["bfloat16"] * 4
    assert_same_bits("weights", whole.flat_params, model().flat_params)
    sums = "products of bfloat16 numbers are summed in float32"
    with pytest.raises(ValueError, match=f"GRU: .* dtype 'float64'; {sums}"):
        rnnlite.GRU(3, 4, dtype="float64", **ROUNDED)
    with pytest.raises(ValueError, match=f"copy: compute_dtype is 'bfloat16', and .*; {sums}"):
        layer.copy("float64", compute_dtype="bfloat16")
    wanted = "it can be 'bfloat16', 'bfloat16_weight_gradients' or 'float32'"
    with pytest.raises(ValueError, match=f"Dense: compute_dtype is 'half'; {wanted}"):
        Dense(3, 4, compute_dtype="half")
    with pytest.raises(ValueError, match=r"no layer of Dropout.* has products"):
        Dropout(0.5).copy(compute_dtype="bfloat16")
    with pytest.raises(AttributeError, match="cannot be changed"):
        layer.compute_dtype = None
    one = np.ones((1, 1, 1))
    with pytest.raises(ValueError, match=f"rnn_forward: .*; {sums}"):
        rnnlite.functional.rnn_forward(one, one[0], one[0], one[0, 0], **ROUNDED)
    with pytest.raises(ValueError, match=r"rnn_forward: .*; wanted float32 arrays"):
        reference.rnn_forward(one, one[0], one[0], one[0, 0], **ROUNDED)


def test_files_and_checkpoints_hold_it(tmp_path):
    network = Sequential([rnnlite.RNN(3, 4, seed=0), Dense(4, 2, seed=1)])
    network = network.copy(compute_dtype="bfloat16")
    path, x = tmp_path / "model.npz", np.random.default_rng(0).normal(size=(6, 4, 3)).astype("f")
    rnnlite.save(network, path)
    assert_same_bits("y", rnnlite.load(path)(x), network(x))
    assert_same_bits("y", rnnlite.load(path, into=network.copy())(x), network(x))
    with pytest.raises(ValueError, match="compute_dtype is bfloat16 in the file, None in"):
        rnnlite.load(path, into=network.copy(compute_dtype="float32"))
    y, place = np.arange(6) % 2, tmp_path / "checkpoint.npz"
    arguments = {"seed": 0, "batch_size": 3, "progress": False}
    whole = network.copy()
    rnnlite.fit(whole, x, y, epochs=3, **arguments)
    rnnlite.fit(network, x, y, epochs=2, checkpoint=place, **arguments)
    resumed = rnnlite.load(place)
    assert resumed.layers[0].compute_dtype == "bfloat16"
    rnnlite.fit(resumed, x, y, epochs=3, checkpoint=place, resume=True, **arguments)
    assert_same_bits("weights", resumed.flat_params, whole.flat_params)


def test_the_gradient_check_says_that_it_checks_without_rounding():
    x = np.random.default_rng(0).normal(size=(2, 3, 3))
    layer = rnnlite.RNN(3, 4, seed=0, **ROUNDED)
    report = gradcheck.check(layer, x)
    assert report.passed
    assert "not rounded to bfloat16" in report.notes[0]
    assert report.notes[0] in str(report)
    assert gradcheck.check(layer.copy(compute_dtype="float32"), x).notes == ()


# --- the instruction ------------------------------------------------------------------------

NEW_LLVM = pytest.mark.skipif(llvm.llvm_version_info < (16,), reason="LLVM 15 has not heard of it")

COMPILE = """
import numba
from rnnlite.kernels.jit import OPTIONS
from rnnlite.kernels.operands import PAIRS, NUMBERS
def assembly(operands, word):
    multiply = operands.product
    def product(s, a, w, c, M, K, N):
        multiply(s, 0, 0, a, 0, K, 1, w, 0, 32, K * 32, c, 0, N, M, K, N)
    f, n = numba.float32[::1], numba.intp
    compiled = numba.njit((f, word[::1], word[::1], f, n, n, n), **OPTIONS)(product)
    return compiled.inspect_asm(compiled.signatures[0])

pairs, numbers = assembly(PAIRS, numba.int32), assembly(NUMBERS, numba.float32)
print(*(text.count(name) for text in (pairs, numbers) for name in ("vdpbf16ps", "vfmadd")))
"""


@needs_jit
@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="x86 by name, on one system")
@pytest.mark.parametrize("processor", ["cooperlake", pytest.param("znver4", marks=NEW_LLVM)])
def test_a_processor_that_multiplies_pairs_is_told_to(processor, tmp_path):
    """Compiled for it, and not run: the machine of the tests need not have it."""
    environment = os.environ | {
        "RNNLITE_SIMD": "avx512bf16", "NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": "",
        "RNNLITE_CACHE": str(tmp_path),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, check=True
    )
    pairs, fused, none, others = map(int, done.stdout.split())
    assert pairs >= 16, "the tile of 8 x 2 registers"
    assert fused == none == 0
    assert others >= 16
