"""What every layer and every loss promises, asked of each row of ``table.py``."""

import copy
import pickle

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits, every_dtype
from table import LAYERS, LOSSES, NOT_RUN_ALONE, RAGGED, B, Shift, T, normal

import rnnlite
from rnnlite import gradcheck, losses

# Kernels of these take seconds to compile: of float64 alone, and of one option where one will do.
RARE = {"lstm-peephole-clip", "gru-2014", "recurrent"}
LONG = {"lstm-peephole", "lstm-clip"}


def usual(case):
    return "float64" if case.name in RARE else "float32"


def row(case, *values, long=False):
    marks = [pytest.mark.long] if long or case.name in LONG else []
    return pytest.param(case, *values, marks=marks, id="-".join([case.name, *values]))


every_layer = pytest.mark.parametrize("case", [row(case) for case in LAYERS])
every_layer_in_every_dtype = pytest.mark.parametrize(("case", "dtype"), [
    row(case, dtype, long=case.name in RARE and dtype == "float32")
    for case in LAYERS for dtype in ("float32", "float64")
])  # fmt: skip
every_loss = pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.name)


def stirred(case, dtype):
    """A layer of the case with parameters away from their initial zeros and ones."""
    layer = case.make(dtype)
    for number, array in enumerate(layer.params.values()):
        array += (0.3 * normal(*array.shape, seed=number)).astype(dtype)
    return layer


def sample(case, dtype):
    return case.sample if case.sample.dtype.kind == "i" else case.sample.astype(dtype)


def with_time(case):
    """Whether rows of such an output have steps that may be padding."""
    return case.make("float64")(case.sample).shape[:2] == case.sample.shape[:2]


def test_every_layer_and_every_loss_has_a_row():
    kinds = {type(layer) for case in LAYERS for _, layer in case.make("float32").walk()}
    every = {getattr(rnnlite.layers, name) for name in rnnlite.layers.__all__}
    assert every <= kinds | NOT_RUN_ALONE
    assert {case.loss for case in LOSSES} == {getattr(losses, name) for name in losses.__all__}


@every_layer_in_every_dtype
def test_a_layer_is_its_twin_in_plain_numpy(case, dtype):
    layer, x = stirred(case, dtype), sample(case, dtype)
    wide = layer.copy("float64")
    wanted = case.twin(wide, x if x.dtype.kind == "i" else x.astype(np.float64))
    for y in (layer(x), layer.forward(x), layer.forward(x, training=False)):
        assert y.dtype == dtype
        assert_close("y", y, wanted, 1e-12 if dtype == "float64" else 2e-5)


@every_layer
@pytest.mark.parametrize("lengths", [None, RAGGED], ids=["full", "ragged"])
def test_its_gradients_are_right(case, lengths):
    layer = stirred(case, "float64")
    report = gradcheck.check(layer, case.sample, lengths=lengths, samples=12)
    assert report.passed, str(report)


@every_layer
def test_padding_reaches_nothing(case):
    layer, clean = stirred(case, usual(case)), sample(case, usual(case)).copy()
    padding = np.arange(T) >= RAGGED[:, None]
    clean[padding] = 0
    dirty = clean.copy()
    dirty[padding] = 3 if clean.dtype.kind == "i" else np.nan
    results = []
    for x in (clean, dirty):
        y = layer.forward(x, lengths=RAGGED).copy()
        dy = np.cos(y)
        if with_time(case):
            if case.name != "dropout":  # which gives on what it got
                assert np.all(y[padding] == 0)
            dy[padding] = 0 if x is clean else np.nan
        dx = layer.backward(dy)
        if dx is not None and case.name != "dropout":
            assert np.all(dx[padding] == 0)
        results.append([y, layer.flat_grads.copy()])
    if case.name != "dropout":
        for name, a, b in zip(("y", "grads"), *results, strict=True):
            assert_same_bits(name, a, b)


@every_layer
def test_what_it_refuses_it_refuses_by_name(case):
    layer = case.make(usual(case))
    for x, fragment in case.refused:
        for call in (layer, layer.forward):
            assert_refused((ValueError, TypeError), [": x ", fragment], call, x)
    if not layer.takes_indices:
        assert_refused(TypeError, ["real numbers"], layer, np.array([["a", "b"]]))
    with pytest.raises(RuntimeError, match="no forward pass"):
        layer.backward(np.ones((B, 1)))


@every_layer
def test_a_wrong_dy_is_refused_and_the_right_one_goes_on(case):
    layer = case.make(usual(case))
    y = layer.forward(sample(case, usual(case)))
    assert_refused(ValueError, ["dy has shape"], layer.backward, np.ones((*y.shape, 2)))
    layer.backward(np.ones_like(y))


@every_layer
def test_copies_pickles_and_files_compute_the_same(case, tmp_path):
    layer, x = stirred(case, usual(case)), sample(case, usual(case))
    y = layer(x)
    rnnlite.save(layer, tmp_path / "layer.npz")
    for twin in (
        layer.copy(), copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)),
        rnnlite.load(tmp_path / "layer.npz", layers=[Shift], cells=[rnnlite.cells.GRU_2014]),
    ):  # fmt: skip
        assert repr(twin) == repr(layer)
        assert_same_bits("y", twin(x), y)


@every_layer
def test_training_reuses_its_memory_and_inference_gives_it_away(case):
    layer, x = stirred(case, usual(case)), sample(case, usual(case))
    first, second = layer(x), layer(x)
    assert not np.shares_memory(first, second) and not np.shares_memory(first, x)
    first[...] = np.nan
    assert_same_bits("y", layer(x), second)


@every_loss
@every_dtype
def test_a_loss_is_its_twin_in_plain_numpy(case, dtype):
    output = case.output.astype(dtype)
    loss, doutput = case.loss(output, case.target)
    wanted, slope = case.twin(output.astype(np.float64), case.target)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    assert doutput.dtype == dtype
    assert loss == pytest.approx(wanted, rel=tolerance)
    assert_close("doutput", doutput, slope, tolerance)


@every_loss
def test_the_gradient_of_a_loss_is_right(case):
    _, doutput = case.loss(case.output, case.target, lengths=RAGGED)
    moved = case.output.copy()
    for place in np.ndindex(moved.shape):
        moved[place] += 1e-5
        high, _ = case.loss(moved, case.target, lengths=RAGGED)
        moved[place] -= 2e-5
        low, _ = case.loss(moved, case.target, lengths=RAGGED)
        moved[place] = case.output[place]
        assert doutput[place] == pytest.approx((high - low) / 2e-5, abs=1e-9)


@every_loss
def test_what_a_loss_refuses_it_refuses_by_name(case):
    for output, target, fragment in case.refused:
        fragments = [case.loss.__name__, fragment]
        assert_refused((ValueError, TypeError), fragments, case.loss, output, target)
