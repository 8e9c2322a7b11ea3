"""What may come into a stream, and what cannot be streamed."""

import copy
import pickle

import numpy as np
import pytest
from streamed import answers, numbers, row_step, row_step_backward, same, small

import rnnlite
from rnnlite import (
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Recurrent,
    Sequential,
)
from rnnlite.layers import Flatten, Group, Layer


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize(
    "given",
    [lambda x: x.astype(np.float64), lambda x: x.tolist(), read_only, lambda x: x[:, ::-1][:, ::-1],
     lambda x: np.asfortranarray(x)],
    ids=["float64", "list", "read_only", "strides", "fortran"],
)  # fmt: skip
def test_any_array_of_numbers_may_come(given):
    model, x = small(), numbers((1, 3))
    stream = model.stream()
    found = stream(given(x)), stream.run([given(x)] if isinstance(given(x), list) else x[None])[0]
    wanted = answers(model, np.stack([x, x], axis=1))
    assert same(found[0], wanted[:, 0]) and same(found[1], wanted[:, 1])


@pytest.mark.parametrize("shape", [(3,), (1, 4), (2, 3), (1, 1, 3), (1, 0)])
def test_x_of_another_shape_is_refused_and_nothing_has_happened(shape):
    stream = small().stream()
    with pytest.raises(ValueError, match=r"Sequential.stream: x_t has shape .*wanted \(1, 3\)"):
        stream(np.zeros(shape, np.float32))
    assert not stream.state["0"][0].any()
    with pytest.raises(ValueError, match=r"stream.run: x has shape .*wanted \(1, T, 3\)"):
        stream.run(np.zeros(shape[:2] if len(shape) != 1 else (1, 0, 3)))


def test_text_is_refused():
    with pytest.raises(TypeError, match="x_t holds <U1; it must hold real numbers"):
        small().stream()([["a", "b", "c"]])


@pytest.mark.long
def test_an_index_of_no_row_is_refused_and_nothing_has_happened():
    stream = Sequential([Embedding(4, 3, seed=0), Dense(3, 2, seed=1)]).stream(batch=2)
    good = stream(np.array([3, 0])).copy()
    for bad in [0, 4], [-1, 0], np.array([0, 2**63], np.uint64):
        with pytest.raises(ValueError, match=r"each must lie in 0\.\.3"):
            stream(bad)
    with pytest.raises(ValueError, match=r"each must lie in 0\.\.3"):
        stream.run([[0, 1], [2, 4]])
    with pytest.raises(TypeError, match="x_t holds float64; it must hold whole numbers"):
        stream([0.0, 1.0])
    with pytest.raises(ValueError, match=r"x has shape \(2,\); wanted \(2, T\), \(batch, time\)$"):
        stream.run([0, 1])
    assert same(stream(np.array([3, 0], np.uint8)), good)


# ---- what does not stream ----------------------------------------------------------------------


class Mine(Layer):
    def forward_pass(self, x, saved):
        return x


class Doubled(Dense):
    def forward_pass(self, x, saved):
        return 2 * super().forward_pass(x, saved)


def written_by_hand():
    cell = rnnlite.custom_cell(
        "plain", row_step, row_step_backward, gates=["n"], saved=["h"], compiled=False
    )
    return Recurrent(cell, 3, 4, seed=0)


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (lambda: Bidirectional(LSTM(3, 4, seed=0)), "reads from the end"),
        (lambda: LSTM(3, 4, seed=0, go_backwards=True), "go_backwards"),
        (lambda: Flatten(), "needs all steps at once"),
        (lambda: Group(a=Dense(3, 4)), "has no forward of its own"),
        (lambda: Mine(), "is a layer of your own"),
        (lambda: Doubled(3, 4), "is a layer of your own"),
        (written_by_hand, "compiled=False"),
    ],
    ids=["bidirectional", "go_backwards", "flatten", "group", "own", "derived", "not_compiled"],
)
def test_what_cannot_be_streamed_is_refused_by_name(layer, told):
    name = type(layer()).__name__
    with pytest.raises(TypeError, match=rf"^{name}.stream: {name}\(.*\) .*{told}"):
        layer().stream()
    model = Sequential([Sequential([Dropout(0.1), layer()])])
    with pytest.raises(TypeError, match=rf"^Sequential.stream: layer 0\.1, {name}\(.*{told}"):
        model.stream()


def test_a_layer_without_the_steps_it_wants_is_refused():
    with pytest.raises(ValueError, match=r"layer 1, LSTM.* return_sequences=True"):
        Sequential([LSTM(3, 4, seed=0), LSTM(4, 4, seed=1)]).stream()


def test_features_that_nobody_knows_are_asked_for():
    with pytest.raises(TypeError, match="no layer says how many features"):
        Activation("tanh").stream()


@pytest.mark.parametrize("batch", [0, 1.5, "1"])
def test_a_batch_is_a_whole_number(batch):
    with pytest.raises((ValueError, TypeError), match=r"Sequential\.stream: batch"):
        small().stream(batch=batch)


@pytest.mark.long
def test_a_stream_keeps_its_batch_and_is_not_copied():
    stream = small().stream(batch=2)
    with pytest.raises(AttributeError, match="batch"):
        stream.batch = 1  # results would be too short for what the kernel writes
    assert stream.batch == 2 and stream(numbers((2, 3))).shape == (2, 2)
    for duplicate in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match="Stream: cannot be copied or pickled"):
            duplicate(stream)


def test_a_stream_says_what_it_is():
    assert repr(small().stream()) == "Stream(Sequential([LSTM(3, 20), Dense(20, 2)]), batch=1)"
