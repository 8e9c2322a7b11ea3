"""What the tests of saved models share: a cell of one's own, a round trip, what is compared."""

import numpy as np
from conftest import assert_same_bits

import rnnlite
from rnnlite.cells.functions import tanh
from rnnlite.saving.architecture import describe
from rnnlite.saving.random_states import random_states


def _step(z, state):
    h = 0.9 * state[0] + 0.1 * tanh(z[0])
    return (h,), (h,)


def _step_backward(dstate, kept, state, new_state):
    g = (new_state[0] - 0.9 * state[0]) * 10.0
    return (dstate[0] * 0.1 * (1.0 - g * g),), (dstate[0] * 0.9,)


def leaky(name="leaky", **options):
    return rnnlite.custom_cell(
        name, _step, _step_backward, gates=["h"], saved=["h"], compiled=False, **options
    )


LEAKY = leaky()


def model_of_version_1():
    """What tests/model_version_1.npz holds, which was saved when a file had only names of cells."""
    layers = [
        rnnlite.LSTM(3, 4, peephole=True, clip=0.5, return_sequences=True),
        rnnlite.Dropout(0.5),
        rnnlite.Recurrent(LEAKY, 4, 3, return_sequences=True),
        rnnlite.Bidirectional(rnnlite.GRU(3, 2, return_sequences=True), merge="sum"),
        rnnlite.Recurrent(rnnlite.cells.GRU_2014, 2, 3, recurrent_dropout=0.5),
        rnnlite.Dense(3, 2),
    ]
    model = rnnlite.Sequential(layers)
    for n, array in enumerate(model.params.values(), 1):
        array[...] = np.linspace(-n, n, array.size).reshape(array.shape) / 16
    for n, layer in enumerate(layer for _, layer in model.walk()):
        if hasattr(layer, "draw_masks_from"):
            layer.draw_masks_from(n)
            layer._rng.random(3, dtype=np.float32)
    return model


def stirred(model, seed=0):
    """The model with other weights than the initial ones, and some masks drawn."""
    rng = np.random.default_rng(seed)
    for array in model.params.values():
        array += rng.normal(0.0, 0.3, array.shape)
    for layer in [model, *getattr(model, "layers", ())]:
        if hasattr(layer, "_rng"):
            layer._rng.random(3, dtype=np.float32)
    return model


def round_trip(model, folder, **options):
    path = folder / "model.npz"
    rnnlite.save(model, path)
    return rnnlite.load(path, **options)


def assert_same_model(loaded, model):
    assert type(loaded) is type(model) and loaded is not model
    assert describe(loaded) == describe(model)
    assert repr(loaded) == repr(model)
    assert loaded.dtype == model.dtype
    assert list(loaded.params) == list(model.params)
    for name, array in model.params.items():
        assert_same_bits(name, loaded.params[name], array)
        assert not np.shares_memory(loaded.params[name], array)
    states = random_states(model)
    assert random_states(loaded) == states


def assert_same_outputs(loaded, model, x):
    for training in (False, True, True):
        expected = model.forward(x, training=training).copy()
        assert_same_bits("output", loaded.forward(x, training=training), expected)


def everything(model):
    return [model.flat_params.tobytes(), random_states(model)]
