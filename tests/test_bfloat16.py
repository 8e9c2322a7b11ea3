"""``compute_dtype="bfloat16"``: how numbers are rounded, and products of rounded numbers."""

import conftest
import numba
import numpy as np
import pytest
from conftest import (
    GRU,
    LSTM,
    RNN_RELU,
    RNN_TANH,
    assert_all_close,
    assert_close,
    assert_same_bits,
    for_each,
    sized,
)
from reference_cells import REFERENCE_CELLS, plant

import rnnlite
from rnnlite import cells, reference
from rnnlite.kernels import simd
from rnnlite.kernels.jit import OPTIONS
from rnnlite.layers import Dense, Recurrent
from rnnlite.reference import bfloat16

EDGES = (1, 2, 3, 7, 8, 15, 16, 17, 32, 33, 65)
ROUNDED = {"compute_dtype": "bfloat16"}
WEIGHT_GRADIENTS = {"compute_dtype": "bfloat16_weight_gradients"}
either = pytest.mark.parametrize(
    "option", [ROUNDED, WEIGHT_GRADIENTS], ids=lambda option: option["compute_dtype"]
)


def with_rounding(cell, option=ROUNDED):
    return cell._replace(options=(*cell.options, *option.items()))


# One of each layout: four gates in a row, halves that stand apart, an intermediate.  Others compile
# for seconds, and are told apart by no product.
FEW = [LSTM, GRU, REFERENCE_CELLS["gru-2014"]]
OTHERS = [cell for cell in REFERENCE_CELLS.values() if cell not in FEW]


def problem(cell, **sizes):
    return conftest.problem(cell, dtype=np.float32, **sizes)


def upstream(cell, **sizes):
    return conftest.upstream(cell, dtype=np.float32, **sizes)


def truncated(x):
    """What a rounding that only cuts off would give."""
    return (np.asarray(x, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


# --- rounding -------------------------------------------------------------------------------

PAIR, LOAD, STORE, LANES = simd.pair, simd.load, simd.store, simd.lanes


@numba.njit(**OPTIONS)  # called from Python, and not kept on disk
def _pairs(low, high, words):
    for j in range(0, words.size, LANES(words)):
        STORE(words, j, PAIR(LOAD(low, j), LOAD(high, j)))


def rounded(x):
    """x as registers round it; its size a multiple of their length."""
    words = np.zeros(x.size, np.int32)
    _pairs(x, x[::-1].copy(), words)
    low, high = (words << 16).view(np.float32), (words & -0x10000).view(np.float32)
    assert_same_bits("upper halves", high[::-1], low)
    return low


def hard_to_round():
    """Every sign, exponent and last digit, with what is cut off at, above and below a tie."""
    upper = np.arange(0, 1 << 16, sized(3, 97), dtype=np.uint32) << 16
    lower = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    x = (upper[:, None] | lower).view(np.float32).ravel()
    return x[: x.size // 16 * 16]


def test_registers_round_to_the_nearest_and_ties_to_even():
    x = hard_to_round()
    wanted = reference.to_bfloat16(x)
    assert_same_bits("rounded", rounded(x)[~np.isnan(x)], wanted[~np.isnan(x)])
    assert (np.isnan(rounded(x)) == np.isnan(x)).all()
    assert np.isinf(rounded(np.full(16, np.finfo("f").max)))[0]  # past the largest bfloat16
    assert (truncated(x) != wanted).any()  # a rounding by cutting off would be noticed


def test_the_reference_rounds_as_pytorch_does():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = hard_to_round()
    x = x[~np.isnan(x)]
    assert_same_bits("x", reference.to_bfloat16(x), torch.tensor(x).bfloat16().float().numpy())


def test_a_step_is_that_of_pytorch_with_rounded_operands():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    arguments = problem(LSTM, T=1)
    x, h0, c0, Wx, Wh, b = (
        torch.tensor(arguments[name]).bfloat16().float() if name != "c0" else
        torch.tensor(arguments[name]) for name in ("x", "h0", "c0", "Wx", "Wh", "b")
    )  # fmt: skip
    cell = torch.nn.LSTMCell(5, 6)
    values = {"weight_ih": Wx.T, "weight_hh": Wh.T, "bias_ih": b, "bias_hh": 0 * b}
    cell.load_state_dict(values)
    with torch.no_grad():
        h, c = cell(x[:, 0], (h0, c0))
    _, state, _ = rnnlite.functional.lstm_forward(**arguments, **ROUNDED)
    assert_close("h", state.h, h.numpy(), 2e-6)
    assert_close("c", state.c, c.numpy(), 2e-6)
    _, plain, _ = rnnlite.functional.lstm_forward(**arguments)
    assert np.abs(plain.h - state.h).max() > 1e-4  # else nothing was rounded


# --- the numbers of the reference -----------------------------------------------------------


def check_against_reference(cell, option=ROUNDED, **sizes):
    cell = with_rounding(cell, option)
    arguments, gradients = problem(cell, **sizes), upstream(cell)
    truth = conftest.everything(cell, arguments, gradients, reference)
    results = conftest.everything(cell, arguments, gradients)
    assert_all_close(results, truth, 2e-6, np.float32)


@pytest.mark.long  # kernels of a cell take seconds to compile
@for_each(FEW)
@pytest.mark.parametrize("lengths", [None, [4, 0, 2]], ids=["whole", "ragged"])
@either
def test_every_result_equals_the_reference_that_rounds(cell, lengths, option):
    check_against_reference(cell, option, lengths=lengths)


@either
def test_a_first_row_that_shares_its_pair_with_a_row_of_zeros_counts(option):
    """Without initial states the weight gradient leaves out step 0: of three rows, one pair."""
    check_against_reference(RNN_TANH, option, initial=False)


@pytest.mark.long
@pytest.mark.by_hand
@for_each(OTHERS)
@either
def test_the_results_of_other_cells_equal_the_reference_that_rounds(cell, option):
    check_against_reference(cell, option, lengths=[4, 0, 2])


FORGOTTEN = [
    ("rnn-tanh", "forward", "rounded(h[:, t])", "h[:, t]"),
    ("rnn-tanh", "backward", "rounded(dz[:, t])", "dz[:, t]"),
    ("lstm", "forward", "rounded(h[:, t])", "h[:, t]"),
    ("lstm", "backward", "rounded(dz[:, t])", "dz[:, t]"),
    ("lstm", "backward", "Wh, cache.compute_dtype", "Wh"),
    ("lstm", "backward", "Wx, cache.compute_dtype", "Wx"),
    ("gru-2014", "forward", "rounded(r[:, t] * h[:, t])", "(r[:, t] * h[:, t])"),
    ("gru-2014", "backward", "rounded(da_n)", "da_n"),
]


@pytest.mark.parametrize(
    ("name", "direction", "old", "new"),
    [pytest.param(*f, marks=() if f[0] == "rnn-tanh" else pytest.mark.long) for f in FORGOTTEN],
)
def test_a_product_that_is_not_rounded_is_noticed(name, direction, old, new, monkeypatch):
    plant(monkeypatch, REFERENCE_CELLS[name], direction, old, new)
    with pytest.raises(AssertionError, match="differs first"):
        check_against_reference(REFERENCE_CELLS[name])


def test_numbers_that_are_cut_off_are_noticed(monkeypatch):
    monkeypatch.setattr(bfloat16, "to_bfloat16", truncated)
    with pytest.raises(AssertionError, match="differs first"):
        check_against_reference(RNN_TANH)


@pytest.mark.long
@pytest.mark.parametrize("size", sized(EDGES, EDGES[:8]))
def test_sizes_at_the_edges_of_registers_give_the_bits_of_the_reference(size):
    """Of whole numbers all sums are exact, and so is each rounding: not a bit may differ."""
    cell = with_rounding(RNN_RELU)
    others = {"B": 3, "I": 5, "H": 6}
    for name in others:
        B, I, H = (others | {name: size}).values()
        rng, T = np.random.default_rng(size), 3
        whole = {
            "x": rng.integers(-999, 999, (B, T, I)), "h0": rng.integers(0, 999, (B, H)),
            "Wx": rng.choice([-1, 0, 0, 0, 1], (I, H)), "Wh": rng.choice([-1, 0, 0, 0, 1], (H, H)),
            "b": rng.integers(-999, 999, H),
        }  # fmt: skip
        arguments = {key: value.astype("f") for key, value in whole.items()}
        lengths = np.append(T, rng.integers(0, T + 1, B - 1))
        arguments |= {"lengths": lengths, **dict(cell.options)}
        dh = {"dh": rng.integers(-999, 999, (B, T, H)).astype("f")}
        truth = conftest.everything(cell, arguments, dh, reference)
        for key, got in conftest.everything(cell, arguments, dh).items():
            assert_same_bits(key, got, truth[key])
    assert (reference.to_bfloat16(truth["h"]) != truth["h"]).any(), "nothing to round"


@either
@pytest.mark.parametrize("size", EDGES)
def test_a_dense_layer_of_any_size_equals_the_reference_that_rounds(size, option):
    for name in ("rows", "I", "N"):
        rows, I, N = ({"rows": 5, "I": 6, "N": 7} | {name: size}).values()
        rng = np.random.default_rng(size)
        layer = Dense(I, N, seed=0, **option)
        layer.params["b"] = rng.normal(size=N)
        x, dy = (rng.normal(size=(rows, n)).astype("f") for n in (I, N))
        y, dx = layer.forward(x), layer.backward(dy)
        wanted = reference.dense_forward(x, **layer.params, **option)
        assert_close("y", y, wanted, 2e-6)
        gradients = reference.dense_backward(dy, x, layer.params["W"], **option)
        for key, got in (("dx", dx), ("dW", layer.grads["W"]), ("db", layer.grads["b"])):
            assert_close(key, got, getattr(gradients, key), 2e-6)


@pytest.mark.long
@either
def test_a_custom_cell_is_rounded_compiled_or_not(option):
    x, dy = (np.random.default_rng(n).normal(size=(3, 4, 5)).astype("f") for n in (0, 1))
    found = []
    for compiled in (True, False):
        cell = cells.GRU_2014._replace(compiled=compiled)
        layer = Recurrent(cell, 5, 5, return_sequences=True, seed=0, **option)
        layer.params["bh"] = np.linspace(-1, 1, 15)
        y = layer.forward(x)
        found.append({"y": y, "dx": layer.backward(dy), **layer.grads})
        plain = layer.copy(compute_dtype="float32")
        plain.forward(x)
        plain.backward(dy)
        rounded = (plain(x), y) if option is ROUNDED else (plain.flat_grads, layer.flat_grads)
        assert 1e-4 < np.abs(np.subtract(*rounded)).max() < 1e-2
    assert_all_close(found[0], found[1], 2e-6, np.float32)


@pytest.mark.long
def test_dropped_units_are_rounded_after_the_mask():
    """0.7 h has more digits than h: rounded before, it would be another number."""
    found = []
    for compiled in (True, False):
        cell = cells.RNN["tanh"]._replace(compiled=compiled)
        layer = Recurrent(cell, 3, 6, recurrent_dropout=0.3, seed=0, **ROUNDED)
        x = np.random.default_rng(0).normal(size=(4, 5, 3))
        y = layer.forward(x, training=True).copy()
        found.append({"y": y, "dx": layer.backward(np.ones_like(y)), **layer.grads})
    assert_all_close(found[0], found[1], 2e-6, np.float32)
