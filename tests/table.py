"""One table of all layers and losses: samples, what they refuse, and a plain twin of each.

``test_table.py`` makes its tests from it: who adds a layer or a loss adds a row, and a test says
so if he forgets.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from conftest import CELLS, KEYWORD_CELLS

import rnnlite
from rnnlite import reference
from rnnlite.layers import Group, Layer

B, T, I, H = 3, 4, 5, 6
RAGGED = np.array([T, 2, 0])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def indices(*shape, below=7):
    return np.random.default_rng(0).integers(0, below, shape)


class LayerCase(NamedTuple):
    name: str
    make: Callable  # (dtype) -> layer
    sample: np.ndarray
    twin: Callable  # (layer in float64, x) -> y in plain NumPy
    refused: tuple = ()  # (x, part of the message)


class LossCase(NamedTuple):
    name: str
    loss: Callable
    output: np.ndarray
    target: np.ndarray
    twin: Callable  # (output, target) -> (loss, doutput) in plain NumPy
    refused: tuple = ()  # (output, target, part of the message)


class Shift(Layer):
    """A layer of one's own in the table: y = x + a."""

    def __init__(self, features, dtype="float32"):
        super().__init__({"a": (features,)}, dtype)
        self.features = features
        self.params["a"][...] = np.arange(features)

    def forward_pass(self, x, saved):
        return x + self.params["a"]

    def backward_pass(self, dy, saved):
        self.grads["a"][...] = dy.reshape(-1, self.features).sum(axis=0)
        return dy


def recurrent_twin(cell, last):
    def twin(layer, x):
        arguments = {name: layer.params[name] for name in cell.params} | dict(cell.options)
        if cell.extra:
            parts = (layer.params[f"p_{gate}"] for gate in "ifo")
            arguments["peephole"] = np.concatenate(list(parts))
        h, _, _ = cell.forward(reference)(x, **arguments)
        return h[:, -1] if last else h

    return twin


THREE_AXES = ((normal(B, I), "wanted 3 axes"), (normal(B, T, I + 1), "built for 5"))


def layers():
    for cell in (*CELLS, *KEYWORD_CELLS):
        yield LayerCase(
            cell.name, lambda dtype, cell=cell: cell.make(I, H, seed=0, dtype=dtype),
            normal(B, T, I), recurrent_twin(cell, last=True), THREE_AXES,
        )  # fmt: skip
    yield LayerCase(
        "every-step", lambda dtype: rnnlite.LSTM(I, H, seed=0, return_sequences=True, dtype=dtype),
        normal(B, T, I), recurrent_twin(CELLS[0], last=False), THREE_AXES,
    )  # fmt: skip
    yield LayerCase(
        "recurrent",
        lambda dtype: rnnlite.Recurrent(rnnlite.cells.GRU_2014, I, H, seed=0, dtype=dtype),
        normal(B, T, I), recurrent_twin(KEYWORD_CELLS[-1], last=True), THREE_AXES,
    )  # fmt: skip

    def both(layer, x):
        there, back = layer.layers
        twin = recurrent_twin(CELLS[0], last=True)
        return np.concatenate([twin(there, x), twin(back, x[:, ::-1])], axis=-1)

    yield LayerCase(
        "bidirectional",
        lambda dtype: rnnlite.Bidirectional(rnnlite.LSTM(I, H, seed=0, dtype=dtype)),
        normal(B, T, I), both, THREE_AXES,
    )  # fmt: skip
    for activation in (None, "gelu"):
        yield LayerCase(
            f"dense-{activation}",
            lambda dtype, f=activation: rnnlite.Dense(I, H, seed=0, activation=f, dtype=dtype),
            normal(B, T, I),
            lambda layer, x: (
                reference.dense_forward(x, layer.params["W"], layer.params["b"])
                if layer.activation is None
                else reference.activation_forward(
                    reference.dense_forward(x, layer.params["W"], layer.params["b"]),
                    layer.activation,
                )
            ),
            ((normal(B, T, I + 1), "(batch, 5)"), (normal(I), "(batch, 5)")),
        )
    yield LayerCase(
        "embedding", lambda dtype: rnnlite.Embedding(7, H, seed=0, dtype=dtype), indices(B, T),
        lambda layer, x: layer.params["W"][x],
        ((normal(B, T), "whole numbers"), (indices(B, T) + 7, "0..6"), (indices(B, T) - 1, "0..6")),
    )  # fmt: skip
    yield LayerCase(
        "dropout", lambda dtype: rnnlite.Dropout(0.5, seed=0, dtype=dtype), normal(B, T, I),
        lambda layer, x: x, ((normal(I), "(batch, ...)"),),
    )  # fmt: skip
    yield LayerCase(
        "flatten", lambda dtype: rnnlite.Flatten(dtype), normal(B, T, I),
        lambda layer, x: x.reshape(len(x), -1), ((normal(I), "(batch, ...)"),),
    )  # fmt: skip
    for function in reference.activations.ACTIVATIONS:
        yield LayerCase(
            f"activation-{function}",
            lambda dtype, function=function: rnnlite.Activation(function, dtype), normal(B, T, I),
            lambda layer, x: reference.activation_forward(x, layer.function),
            ((normal(I), "(batch, ...)"), (np.array([["a"]]), "real numbers")),
        )  # fmt: skip
    yield LayerCase(
        "layer-norm", lambda dtype: rnnlite.LayerNorm(I, dtype=dtype), normal(B, T, I),
        lambda layer, x: reference.layer_norm_forward(x, *layer.params.values()),
        ((normal(B, T, I + 1), "(batch, ..., 5)"),),
    )  # fmt: skip
    yield LayerCase(
        "of-ones-own", lambda dtype: Shift(I, dtype), normal(B, T, I),
        lambda layer, x: x + layer.params["a"], ((normal(I), "(batch, ...)"),),
    )  # fmt: skip
    yield LayerCase(
        "sequential",
        lambda dtype: rnnlite.Sequential([
            rnnlite.LayerNorm(I, dtype=dtype), rnnlite.LSTM(I, H, seed=0, dtype=dtype),
            rnnlite.Dense(H, 2, seed=1, activation="tanh", dtype=dtype),
        ]),
        normal(B, T, I),
        lambda model, x: np.tanh(reference.dense_forward(
            recurrent_twin(CELLS[0], last=True)(
                model.layers[1], reference.layer_norm_forward(x, *model.layers[0].params.values())
            ), *model.layers[2].params.values(),
        )),
        ((normal(B, T, I + 1), "layer 0, LayerNorm"),),
    )  # fmt: skip


def mean_squared(y, target):
    return np.mean((y - target) ** 2), 2 * (y - target) / y.size


def binary(x, t):
    p = reference.sigmoid(x)
    return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p)), (p - t) / x.size


ONE_HOT = np.eye(4)[indices(B, T, below=4)]
LOSSES = (
    LossCase(
        "classes", rnnlite.softmax_cross_entropy, normal(B, T, 4), indices(B, T, below=4),
        reference.softmax_cross_entropy,
        ((normal(B, 4), np.full(B, 4), "0..3"), (normal(B, 4), np.zeros(B), "whole numbers"),
         (normal(B, 4), np.zeros((2, 4)), "labels has shape (2, 4)")),
    ),
    LossCase(
        "one-hot", rnnlite.softmax_cross_entropy, normal(B, T, 4), ONE_HOT,
        reference.softmax_cross_entropy,
        ((normal(B, 4), np.full((B, 4), -1.0), "must not be negative"),),
    ),
    LossCase(
        "squared", rnnlite.mean_squared_error, normal(B, T, 2), normal(B, T, 2, seed=1),
        mean_squared, ((normal(B, 2), normal(B), "target has shape (3,)"),),
    ),
    LossCase(
        "yes-or-no", rnnlite.binary_cross_entropy, normal(B, T, 2),
        indices(B, T, 2, below=2).astype(float), binary,
        ((normal(B, 2), np.full((B, 2), 1.5), "in [0, 1]"), (normal(B, 2), normal(B), "(3,)")),
    ),
)  # fmt: skip
LAYERS = tuple(layers())
NOT_RUN_ALONE = {Group, Layer}  # a loop of one's own runs the parts of a Group
