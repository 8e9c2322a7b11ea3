"""What from_keras and to_keras refuse, by the name of the layer, and what they say."""

import numpy as np
import pytest
from conftest import assert_refused
from test_interop_keras import (
    B,
    H,
    I,
    T,
    _one_thread_one_seed_float64,
    assert_same_network,
    keras,
    layers,
)

import rnnlite
from rnnlite import interop

__all__ = ["_one_thread_one_seed_float64"]  # pytest looks for it here
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@keras.saving.register_keras_serializable("Mine")
class Mine(layers.LSTM):
    """As one may derive it."""


def twice(x):
    return 2 * x


REFUSED = {
    "activation": (lambda: layers.LSTM(3, activation="relu"), "activation is 'relu'; rnnlite.LSTM"),
    "gate": (lambda: layers.GRU(3, recurrent_activation="hard_sigmoid"), "is 'hard_sigmoid'; rnn"),
    "simple": (lambda: layers.SimpleRNN(3, activation="elu"), "activation is 'elu'; rnnlite.RNN"),
    "function": (lambda: layers.SimpleRNN(3, activation=twice), "wanted the name of a"),
    "dense": (lambda: layers.Dense(3, activation="selu"), "activation is 'selu'; rnnlite has li"),
    "stateful": (lambda: layers.LSTM(3, stateful=True), "stateful=True: no layer of rnnlite"),
    "order": (
        lambda: layers.GRU(3, go_backwards=True, return_sequences=True), "in the order of reading",
    ),
    "merge": (lambda: layers.Bidirectional(layers.GRU(3), merge_mode="ave"), "merge_mode is 'ave'"),
    "axis": (lambda: layers.LayerNormalization(axis=1), "axis is [1]"),
    "no size": (lambda: layers.LayerNormalization(scale=False, center=False), "size is not known"),
    "slope": (lambda: layers.ReLU(negative_slope=0.1), "negative_slope is 0.1; rnnlite has 0.0"),
    "noise": (lambda: layers.Dropout(0.1, (None, 1, 4)), "noise_shape is"),
    "masking": (lambda: layers.Masking(), "it can stand at the beginning"),
    "softmax": (lambda: layers.Softmax(), "a softmax before other layers"),
    "over time": (lambda: layers.Softmax(axis=1), "axis is 1; wanted the last, -1"),
    "conv": (lambda: layers.Conv1D(4, 1), "rnnlite has no layer for it"),
    "time": (lambda: layers.TimeDistributed(layers.Dropout(0.1)), "it holds a Dropout; it can"),
    "directions": (
        lambda: layers.Bidirectional(
            layers.GRU(3), backward_layer=layers.GRU(3, reset_after=False, go_backwards=True)
        ),
        "reset_after is True forward, False backward",
    ),
    "own": (lambda: Mine(3), "it is a class of your own"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "fragment"), REFUSED.values(), ids=REFUSED)
def test_what_rnnlite_does_not_have_is_refused_by_the_layers_name(make, fragment):
    layer = make()
    last = [layers.Flatten()] if layer.__class__.__name__ != "Masking" else []
    inside = [layers.Dense(I), layer, *last]
    module = keras.Sequential([keras.Input((T, I), **_batch(layer)), *inside])
    with pytest.raises((ValueError, TypeError)) as raised:
        interop.from_keras(module)
    said = str(raised.value)
    assert said.startswith(f"from_keras: layer {layer.name!r} (") and fragment in said, said


def _batch(layer):
    return {"batch_size": B} if getattr(layer, "stateful", False) else {}


def test_a_graph_is_refused_with_the_advice_that_works():
    inputs = keras.Input((T, I))
    module = keras.Model(inputs, layers.Dense(2)(layers.LSTM(H)(inputs)))
    assert_refused(TypeError, ["a graph of layers", "model.layers"], interop.from_keras, module)
    assert_same_network(interop.from_keras(keras.Sequential(module.layers)), module)


def test_a_graph_in_a_sequential_is_refused_as_one():
    inputs = keras.Input((T, I))
    module = keras.Sequential([inputs, keras.Model(inputs, layers.LSTM(H)(inputs))])
    assert_refused(TypeError, ["(Functional): a graph of layers"], interop.from_keras, module)


@pytest.mark.parametrize("nested", [False, True])
def test_a_layer_that_stands_twice_is_refused(nested):
    one, two = layers.Dense(I), layers.Dense(I)  # Keras' own description has each once
    again = keras.Sequential([one]) if nested else one
    module = keras.Sequential([keras.Input((T, I)), one, two, again])
    fragments = [f"layer {one.name!r} (Dense) stands in it twice"]
    assert_refused(ValueError, fragments, interop.from_keras, module)


OPTIONS = {
    "simple": (lambda: layers.SimpleRNN(H), lambda: rnnlite.RNN(I, H, activation="relu"),
               "activation is 'tanh'; RNN(4, 6, activation='relu') has 'relu'"),
    "both": (lambda: layers.Bidirectional(layers.SimpleRNN(H, activation="relu")),
             lambda: rnnlite.Bidirectional(rnnlite.RNN(I, H)), "activation is 'relu'; Bidirect"),
    "dense": (lambda: layers.Dense(H, activation="swish"),
              lambda: rnnlite.Dense(I, H, activation="tanh"), "activation is 'silu'; Dense("),
    "epsilon": (lambda: layers.LayerNormalization(), lambda: rnnlite.LayerNorm(I),
                "epsilon is 0.001; LayerNorm(4) has 1e-05"),
}  # fmt: skip


@pytest.mark.parametrize(("theirs", "ours", "said"), OPTIONS.values(), ids=OPTIONS)
def test_options_that_no_weight_shows_must_be_the_same(theirs, ours, said):
    assert_refused(ValueError, ["to_keras: layer ", said], interop.to_keras, ours(), like=theirs())
    assert interop.to_keras(ours())


DESCRIPTIONS = {
    "no units": ({"class_name": "LSTM", "config": {"units": None}}, "units is None; wanted a"),
    "odd units": ({"class_name": "LSTM", "config": {"units": "3"}}, "units is '3'; wanted a whole"),
    "layers": ({"class_name": "Sequential", "config": {"layers": None}}, "its layers are None"),
    "module": ({"class_name": "LSTM", "config": {"units": 3}, "module": 3}, "a class of your own"),
    "alone": ({"units": 3}, "the description is {'units': 3}; wanted a dict of class_name and con"),
}


@pytest.mark.parametrize(("description", "said"), DESCRIPTIONS.values(), ids=DESCRIPTIONS)
def test_a_description_that_is_none_is_told(description, said):
    weights = [np.zeros((4, 12)), np.zeros((3, 12)), np.zeros(12)]
    with pytest.raises((ValueError, TypeError)) as raised:
        interop.from_keras(description, weights)
    assert str(raised.value).startswith("from_keras: ") and said in str(raised.value)


def test_a_description_without_an_end_is_told():
    description = {"class_name": "Dense", "config": {"units": 3}}
    for _ in range(5000):
        description = {"class_name": "Sequential", "config": {"layers": [description]}}
    assert_refused(ValueError, ["nested too deeply"], interop.from_keras, description, [])


def test_a_class_is_no_layer():
    assert_refused(TypeError, ["layer_or_model is of type "], interop.from_keras, layers.LSTM)
    options = {"like": layers.LSTM}
    assert_refused(TypeError, ["like is of type "], interop.to_keras, rnnlite.LSTM(3, 4), **options)


def test_a_layer_without_weights_yet_is_told():
    fragments = ["there are 0 arrays; the layers have 3 (", ".kernel", "once it was called"]
    assert_refused(ValueError, fragments, interop.from_keras, layers.LSTM(3))
