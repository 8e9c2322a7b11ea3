"""``import_onnx``: the test cases of ONNX itself, our own files, files of others, and refusals."""

import numpy as np
import pytest
from conftest import assert_refused
from test_onnx import CASES, INPUTS, evaluate, onnx, random_node

import rnnlite
from rnnlite import interop
from rnnlite.layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    LayerNorm,
    Recurrent,
    Sequential,
)

B, T, I, H = 3, 5, 2, 4
X = np.random.default_rng(0).normal(size=(B, T, I)).astype("f")


def node_file(node, inputs, path):
    """One node with its weights in the file; X, lengths and states stay inputs."""
    names = [name for name in node.input if name]
    given = dict(zip(names, inputs, strict=True))
    kinds = dict(zip(node.input, INPUTS[node.op_type], strict=False))
    open_inputs = [n for n in names if kinds[n] not in ("W", "R", "B", "P")]
    as_type = onnx.helper.np_dtype_to_tensor_dtype
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [
            onnx.helper.make_tensor_value_info(n, as_type(given[n].dtype), given[n].shape)
            for n in open_inputs
        ],
        [
            onnx.helper.make_tensor_value_info(name, as_type(np.dtype("f")), [None] * axes)
            for name, axes in zip(node.output, (4, 3, 3), strict=False)
            if name
        ],
        [onnx.numpy_helper.from_array(given[n], n) for n in names if n not in open_inputs],
    )
    opsets = [onnx.helper.make_opsetid("", 22)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return {kinds[name]: given[name] for name in open_inputs}


def answers(model, given, batch_first, return_sequences):
    """Y and the last states in ONNX's layout, of an imported layer."""
    x = given["X"] if batch_first else given["X"].swapaxes(0, 1)
    both = len(model.layers) == 2
    states = [given[n] for n in ("initial_h", "initial_c") if n in given]
    if batch_first:
        states = [state.swapaxes(0, 1) for state in states]
    initial = None
    if states:  # (D, B, H) of each
        each = [tuple(s[d] for s in states) for d in range(len(states[0]))]
        each = [e if len(e) > 1 else e[0] for e in each]
        initial = tuple(each) if both else each[0]
    y, last = model(x, initial, lengths=given.get("sequence_lens"), return_state=True)
    last = last if both else (last,)
    last = [e if isinstance(e, tuple) else (e,) for e in last]
    finals = [np.stack(parts, axis=1 if batch_first else 0) for parts in zip(*last, strict=True)]
    if not return_sequences:
        return [None, *finals]
    Y = y.reshape(*y.shape[:2], len(last), -1)  # (B, T, D, H)
    return [Y if batch_first else Y.transpose(1, 2, 0, 3), *finals]


def assert_as_onnx(model, node, given, expected):
    batch_first = any(a.name == "layout" and a.i for a in node.attribute)
    results = answers(model, given, batch_first, bool(node.output[0]))
    wanted = [r for r, name in zip(results, node.output, strict=False) if name]
    assert len(wanted) == len(expected) > 0
    for got, array in zip(wanted, expected, strict=True):
        assert got.shape == array.shape
        np.testing.assert_allclose(got, array, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.removeprefix("test_"))
def test_the_cases_that_onnx_ships(case, tmp_path):
    (node,) = case.model.graph.node
    for inputs, expected in case.data_sets:
        given = node_file(node, inputs, tmp_path / "node.onnx")
        model = interop.import_onnx(tmp_path / "node.onnx")
        assert_as_onnx(model, node, given, expected)


VARIANTS = [
    ("RNN", {}),
    ("GRU", {"linear_before_reset": 0}),
    ("GRU", {"linear_before_reset": 1}),
    ("LSTM", {}),
    ("LSTM", {"peepholes": True}),
]


@pytest.mark.parametrize(("operator", "options"), VARIANTS)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("layout", [0, 1])
def test_random_weights_states_and_layouts(tmp_path, operator, options, direction, layout):
    node, inputs = random_node(operator, direction, layout, **options)
    given = node_file(node, inputs, tmp_path / "node.onnx")
    model = interop.import_onnx(tmp_path / "node.onnx")
    assert_as_onnx(model, node, given, evaluate(node, inputs))


def test_attributes_become_options(tmp_path):
    node, inputs = random_node("LSTM", clip=0.5, activations=["sigmoid", "TANH", "Tanh"])
    node_file(node, inputs, tmp_path / "node.onnx")
    clip = interop.import_onnx(tmp_path / "node.onnx").clip
    assert clip == 0.5
    node, inputs = random_node("RNN", "bidirectional", activations=["Relu", "Relu"])
    node_file(node, inputs, tmp_path / "node.onnx")
    assert interop.import_onnx(tmp_path / "node.onnx").layer.activation == "relu"


UNKNOWN = {
    "coupled gates": ("LSTM", {"input_forget": 1}, "input_forget couples"),
    "a clipped GRU": ("GRU", {"clip": 1.0}, "attribute clip = 1.0"),
    "another activation": ("RNN", {"activations": ["Softsign"]}, "activations are Softsign"),
    "a hard sigmoid": ("LSTM", {"activations": ["HardSigmoid", "Tanh", "Tanh"]}, "Hardsigmoid"),
    "directions that differ": (
        "RNN", {"direction": "bidirectional", "activations": ["Relu", "Tanh"]}, "the same each",
    ),
    "a scaled activation": ("RNN", {"activation_alpha": [0.5]}, "activation_alpha"),
    "another size": ("GRU", {"hidden_size": 3}, "hidden_size is not that of R"),
}  # fmt: skip


@pytest.mark.parametrize(("operator", "options", "said"), UNKNOWN.values(), ids=UNKNOWN)
def test_attributes_that_no_layer_has_are_refused_by_name(tmp_path, operator, options, said):
    node, inputs = random_node(operator)
    kept = [a for a in node.attribute if a.name not in options]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.extend(onnx.helper.make_attribute(k, v) for k, v in options.items())
    if options.get("direction"):
        node, inputs = random_node(operator, "bidirectional", activations=options["activations"])
    path = tmp_path / "node.onnx"
    node_file(node, inputs, path)
    assert_refused(
        ValueError, ["import_onnx: ", f"node 'Y', {operator}", said], interop.import_onnx, path
    )


# ---- files of our own, and the same graphs without a word of whose they are ------------------


def deep(dtype="float32"):
    model = Sequential(
        [
            Bidirectional(GRU(I, H, return_sequences=True, seed=0, dtype=dtype), merge="sum"),
            LayerNorm(H, dtype=dtype),
            Dropout(0.3, dtype=dtype),
            Sequential([LSTM(H, H, return_sequences=True, seed=0, peephole=True, dtype=dtype)]),
            Dense(H, H, seed=0, dtype=dtype),
            Activation("tanh", dtype=dtype),
            Bidirectional(RNN(H, H, activation="relu", seed=0, dtype=dtype)),
            Dense(2 * H, 2, seed=0, dtype=dtype),
        ]
    )
    model.flat_params = np.random.default_rng(1).normal(0, 0.5, model.flat_params.shape)
    return model


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", ["portable", "operators", "scan"])
def test_a_file_of_our_own_is_the_model_again(tmp_path, form, dtype):
    model, path = deep(dtype), tmp_path / "model.onnx"
    interop.export_onnx(model, path, form=form, states=form == "scan", names={"y": "answer"})
    again = interop.import_onnx(path)
    assert repr(again) == repr(model) and again.dtype == model.dtype
    for name, array in model.params.items():
        np.testing.assert_array_equal(again.params[name], array, err_msg=name)


def test_many_numbers_find_their_places(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnlite.interop.onnx_own.DIGIT", 7)  # as if float32 could hold but 7
    model, path = deep(), tmp_path / "model.onnx"
    interop.export_onnx(model, path)
    again = interop.import_onnx(path)
    for name, array in model.params.items():
        np.testing.assert_array_equal(again.params[name], array, err_msg=name)


def test_a_cell_of_ones_own_comes_back_with_the_cell(tmp_path):
    def step(z, state):
        return (np.tanh(z[0]) + 0.5 * state[0],), (z[0],)

    def back(dstate, saved, state, new_state):
        return (dstate[0] * (1 - np.tanh(saved[0]) ** 2),), (0.5 * dstate[0],)

    cell = rnnlite.custom_cell("mine", step, back, gates=["n"], saved=["n"], compiled=False)
    model, path = Recurrent(cell, I, H, seed=0), tmp_path / "model.onnx"
    interop.export_onnx(model, path)
    again = interop.import_onnx(path, cells=[cell])
    np.testing.assert_array_equal(again(X), model(X))
    assert_refused(ValueError, ["import_onnx", "'mine'", "cells=["], interop.import_onnx, path)


def changed(path, change):
    message = onnx.load(path)
    change(message)
    onnx.save(message, path)


def without_a_word(message):
    del message.metadata_props[:]


@pytest.mark.parametrize("softmax", [False, True])
def test_a_graph_that_says_nothing_of_its_model_is_read_node_by_node(tmp_path, softmax):
    model, path = deep(), tmp_path / "model.onnx"
    interop.export_onnx(model, path, form="operators", lengths=False, softmax=softmax)
    changed(path, without_a_word)
    again = interop.import_onnx(path)
    np.testing.assert_array_equal(again(X), model(X))
    lengths = [5, 0, 2]
    np.testing.assert_array_equal(again(X, lengths=lengths), model(X, lengths=lengths))


def test_indices_and_a_single_layer_node_by_node(tmp_path):
    model, path = Embedding(6, 3, seed=0), tmp_path / "model.onnx"
    interop.export_onnx(model, path, lengths=False)
    changed(path, without_a_word)
    again = interop.import_onnx(path)
    assert repr(again) == "Embedding(6, 3)"
    np.testing.assert_array_equal(again.params["W"], model.params["W"])


def test_weights_that_were_changed_are_the_models(tmp_path):
    model, path = deep(), tmp_path / "model.onnx"
    interop.export_onnx(model, path)

    def change(message):
        for tensor in message.graph.initializer:
            if tensor.name == "7.W":
                tensor.raw_data = np.full((2 * H, 2), 3.0, "f").tobytes()

    changed(path, change)
    assert np.all(interop.import_onnx(path).params["7.W"] == 3.0)


def test_a_graph_that_is_no_longer_its_model_is_not_believed(tmp_path):
    model, path = Dense(I, 2, activation="tanh", seed=0), tmp_path / "model.onnx"
    interop.export_onnx(model, path, lengths=False)

    def change(message):
        (node,) = (node for node in message.graph.node if node.op_type == "Tanh")
        node.op_type = "Sigmoid"

    changed(path, change)
    again = interop.import_onnx(path)  # node by node: what it computes now
    assert repr(again) == "Sequential([Dense(2, 2), Activation('sigmoid')])"


# ---- what is refused -------------------------------------------------------------------------


def refused(path, *said):
    assert_refused(ValueError, ["import_onnx: ", str(path), *said], interop.import_onnx, path)


def test_numbers_in_other_files_are_refused(tmp_path):
    path = tmp_path / "model.onnx"
    interop.export_onnx(deep(), path)
    message = onnx.load(path)
    onnx.save(message, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    refused(path, "in other files, which are not read")


def test_files_that_are_none(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x80\x04not at all")
    refused(path)
    path.write_bytes(b"")
    refused(path)


def test_metadata_that_lie_are_refused(tmp_path):
    path = tmp_path / "model.onnx"
    for text in ("[1, 2]", "{", '{"architecture": {}, "options": {}}', "[" * 100_000):
        interop.export_onnx(Dense(I, 2), path)

        def lie(message, text=text):
            entries = [e for e in message.metadata_props if e.key == "rnnlite_model"]
            entries[0].value = text

        changed(path, lie)
        refused(path, "rnnlite_model")


def test_a_node_that_no_layer_is_has_its_name_in_the_sentence(tmp_path):
    model, path = Dense(I, 2, activation="gelu", seed=0), tmp_path / "model.onnx"
    interop.export_onnx(model, path, lengths=False)
    changed(path, without_a_word)
    refused(path, "Mul: no layer of rnnlite does that")
    interop.export_onnx(GRU(I, H, seed=0), path, form="operators", lengths=False)

    def swap_axes(message):
        without_a_word(message)
        (node,) = (node for node in message.graph.node if node.op_type == "Transpose")
        node.attribute[0].ints[:] = [1, 2, 0]
        message.graph.input[0].type.tensor_type.shape.dim[0].dim_value = I
        message.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "more"

    changed(path, swap_axes)
    refused(path, "Transpose", "wanted [1, 0, 2]")
