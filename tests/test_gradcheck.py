"""The gradient check passes every right gradient."""

import numpy as np
import pytest
from custom_cases import CENTRED
from gradchecked import B, H, I, T, X, normal, wrong_arrays

from rnnlite import GRU, LSTM, RNN, Dense, Sequential, gradcheck
from rnnlite.layers import Bidirectional, Dropout, Embedding, Recurrent


def shaken(layer, seed=20):
    """The layer, with random numbers for every parameter that starts at a constant."""
    for n, (name, array) in enumerate(layer.params.items()):
        if array.ndim == 1 and name != "b":
            array[...] += 0.5 * normal(*array.shape, seed=seed + n)
    return layer


WHOLE_ROWS = "a cell that sees whole rows"
RECURRENT = {
    "lstm": lambda **k: LSTM(I, H, seed=1, **k),
    "lstm, forget bias 0": lambda **k: LSTM(I, H, forget_bias=0.0, seed=1, **k),
    "lstm, forget bias -2": lambda **k: LSTM(I, H, forget_bias=-2.0, seed=1, **k),
    "rnn, tanh": lambda **k: RNN(I, H, activation="tanh", seed=1, **k),
    "rnn, relu": lambda **k: RNN(I, H, activation="relu", seed=1, **k),
    "gru": lambda **k: shaken(GRU(I, H, seed=1, **k)),
    "lstm, peephole": lambda **k: shaken(LSTM(I, H, peephole=True, seed=1, **k)),
    "lstm, clip": lambda **k: LSTM(I, H, clip=0.6, seed=1, **k),
    "lstm, peephole, clip": lambda **k: shaken(LSTM(I, H, peephole=True, clip=0.6, seed=1, **k)),
    "lstm, backwards": lambda **k: LSTM(I, H, go_backwards=True, seed=1, **k),
    "gru, reset before": lambda **k: shaken(GRU(I, H, reset_after=False, seed=1, **k)),
    "gru, backwards": lambda **k: GRU(I, H, go_backwards=True, seed=1, **k),
    WHOLE_ROWS: lambda **k: shaken(Recurrent(CENTRED, I, H, seed=1, **k)),
}
COMPILED_HERE = WHOLE_ROWS, "lstm, peephole", "lstm, clip"  # for no other test: seconds each
every_recurrent = pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=pytest.mark.long if name in COMPILED_HERE else ())
        for name, make in RECURRENT.items()
    ],
)


def state_of(layer, seed=5):
    states = tuple(normal(B, H, seed=seed + s) for s in range(len(layer.cell.states)))
    return states if len(states) > 1 else states[0]


@pytest.mark.quick(every=3)
@every_recurrent
@pytest.mark.parametrize(
    ("sequences", "lengths", "given"),
    [(False, None, True), (False, [2, 3], False), (True, [T, 1], False)],
    ids=["last step", "last step, lengths", "every step, lengths"],
)
def test_a_recurrent_layer_passes_in_all_options(make, sequences, lengths, given):
    layer = make(return_sequences=sequences)
    state = state_of(layer) if given else None
    report = gradcheck.check(layer, X, lengths=lengths, initial_state=state)
    assert report.passed, f"\n{report}"
    states = [f"{name}0" for name in layer.cell.states]
    assert [a.name for a in report.arrays] == [*layer.params, "x", *states]


@every_recurrent
def test_a_recurrent_layer_passes_from_a_zero_state(make):
    layer = make()
    zero = tuple(np.zeros((B, H)) for _ in layer.cell.states)
    report = gradcheck.check(layer, X, initial_state=zero if len(zero) > 1 else zero[0])
    assert report.passed, f"\n{report}"


@pytest.mark.parametrize(
    ("merge", "sequences", "lengths"),
    [("concat", False, [T, 1]), ("sum", True, [T, 1]), ("concat", True, None)],
)
@pytest.mark.parametrize("make", [LSTM, RNN, GRU])
def test_a_bidirectional_layer_passes(make, sequences, lengths, merge):
    layer = Bidirectional(make(I, H, return_sequences=sequences, seed=0), merge=merge, seed=1)
    report = gradcheck.check(layer, X, lengths=lengths)
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == [*layer.params, "x"]


@pytest.mark.parametrize("shape", [(5, I), (B, T, I)], ids=["2-D", "3-D"])
def test_dense_passes(shape):
    report = gradcheck.check(Dense(I, 3, seed=0), normal(*shape))
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == ["W", "b", "x"]


@pytest.mark.parametrize("shape", [(6,), (2, 5)], ids=["1-D", "2-D"])
def test_an_embedding_passes_and_its_indices_are_left_alone(shape):
    indices = np.random.default_rng(0).integers(0, 7, shape)
    report = gradcheck.check(Embedding(7, 3, seed=0), indices)
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == ["W"]


def test_a_stack_on_an_embedding_passes():
    model = Sequential([Embedding(7, 3, seed=0), LSTM(3, H, seed=1), Dense(H, 4, seed=2)])
    indices = np.random.default_rng(0).integers(0, 7, (B, T))
    report = gradcheck.check(model, indices, labels=[3, 0], lengths=[4, 2])
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == [*model.params]


def test_dropout_passes_as_it_is_outside_training():
    report = gradcheck.check(Sequential([Dropout(0.5, seed=0), Dense(I, 3, seed=0)]), normal(4, I))
    assert report.passed, f"\n{report}"


STACKS = {
    "lstm, dense": lambda: [LSTM(I, H, seed=0), Dense(H, 4, seed=1)],
    "lstm, rnn, dense": lambda: [
        LSTM(I, H, return_sequences=True, seed=0),
        RNN(H, 2, activation="relu", seed=1),
        Dense(2, 4, seed=2),
    ],
    "both directions, lstm, dense": lambda: [
        Bidirectional(GRU(I, 2, return_sequences=True, seed=0), seed=1),
        LSTM(4, H, seed=2),
        Dense(H, 4, seed=3),
    ],
    "dense, gru, lstm, dense": lambda: [
        Dense(I, 3, seed=0),
        GRU(3, H, return_sequences=True, seed=1),
        LSTM(H, 2, seed=2),
        Dense(2, 4, seed=3),
    ],
}


@pytest.mark.parametrize("layers", STACKS.values(), ids=STACKS.keys())
@pytest.mark.parametrize(
    ("lengths", "labels"),
    [(None, [3, 0]), ([3, 1], np.eye(4)[[3, 0]])],
    ids=["classes", "lengths, one-hot"],
)
def test_a_stack_passes_with_labels_and_their_cross_entropy(layers, lengths, labels):
    model = Sequential(layers())
    report = gradcheck.check(model, X, labels=labels, lengths=lengths)
    assert report.passed, f"\n{report}"
    assert [a.name for a in report.arrays] == [*model.params, "x"]


@pytest.mark.parametrize("layers", STACKS.values(), ids=STACKS.keys())
def test_a_stack_passes_without_a_loss(layers):
    assert gradcheck.check(Sequential(layers()), X).passed


def test_a_stack_passes_with_a_label_at_every_step():
    model = Sequential([LSTM(I, H, return_sequences=True, seed=0), Dense(H, 4, seed=1)])
    labels = np.arange(B * T).reshape(B, T) % 4
    assert gradcheck.check(model, X, labels=labels).passed


def squared_error(y, target):
    return 0.5 * np.sum((y - target) ** 2), y - target


@pytest.mark.parametrize("make", [LSTM, RNN, GRU])
def test_a_loss_of_ones_own_is_used_as_given(make):
    target = normal(B, H, seed=3)
    assert gradcheck.check(make(I, H, seed=0), X, labels=target, loss=squared_error).passed

    def twice_the_gradient(y, target):
        loss, dy = squared_error(y, target)
        return loss, 2.0 * dy

    report = gradcheck.check(make(I, H, seed=0), X, labels=target, loss=twice_the_gradient)
    assert wrong_arrays(report) == {a.name for a in report.arrays}
    for a in report.arrays:
        assert a.analytic == pytest.approx(2.0 * a.numeric, rel=1e-5)


def test_a_loss_may_do_without_labels():
    def energy(y, labels):
        assert labels is None
        return 0.5 * np.sum(y**2), y

    assert gradcheck.check(RNN(I, H, seed=0), X, loss=energy).passed
