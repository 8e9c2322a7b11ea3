"""Files of ``export_onnx`` answer as the model does, in every library that runs them.

Every file is exported once and run at several sizes: nothing of them is in it.  The models here are
stacks, so that one file has every direction and every way to answer.
"""

import numpy as np
import pytest
from conftest import CLIP, assert_refused
from layer_cases import rng
from onnx_runtimes import every_runtime, with_onnxruntime

from rnnlite import interop, layers
from rnnlite.interop import onnx_gates
from rnnlite.layers import (
    GRU,
    LSTM,
    RNN,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Group,
    LayerNorm,
    Sequential,
)

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

# Twice other rows and steps, with rows of length 0, 1 and T; a single step of a single row.
SIZES = ((5, 7, [7, 0, 3, 1, 5]), (2, 3, [0, 2]), (1, 1, [1]))
I, H = 3, 4


def with_random_weights(model, scale=0.6):
    model.flat_params = rng(1).normal(0.0, scale, model.flat_params.shape)
    return model


def stack(make):
    """Sequences, backwards, both directions side by side, and both summed at the last step."""
    return with_random_weights(
        Sequential(
            [
                make(I, return_sequences=True),
                make(H, return_sequences=True, go_backwards=True),
                Bidirectional(make(H, return_sequences=True), seed=0),
                Bidirectional(make(2 * H), merge="sum", seed=0),
            ]
        )
    )


def exported(model, path, **options):
    interop.export_onnx(model, path, **options)
    onnx.checker.check_model(path, full_check=True)
    return onnx.load(path)


def largest_difference(run, model, path, kind=np.float32, sizes=SIZES, answers=None, **feed):
    """Between the answers of a file and of its model, at all sizes, without and with padding."""
    found = 0.0
    has_lengths = any(entry.name == "lengths" for entry in onnx.load(path).graph.input)
    for B, T, lengths in sizes:
        x = rng(2).normal(size=(B, T, I)).astype(kind)
        given = {"x": x} | ({"lengths": np.array(lengths)} if has_lengths else {})
        wanted = (answers or model)(x, lengths=lengths if has_lengths else None)
        got = run(path, given | feed)["y"]
        assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
        found = max(found, np.abs(got - wanted).max())
    return found


CELLS = {
    "LSTM": (LSTM, {}),
    "LSTM with peepholes": (LSTM, {"peephole": True}),
    "clipped LSTM": (LSTM, {"clip": CLIP}),
    "clipped LSTM with peepholes": (LSTM, {"clip": CLIP, "peephole": True}),
    "GRU": (GRU, {}),
    "GRU of 2014": (GRU, {"reset_after": False}),
    "RNN": (RNN, {}),
    "RNN with ReLU": (RNN, {"activation": "relu"}),
}
every_cell = pytest.mark.parametrize(("layer", "options"), CELLS.values(), ids=CELLS)


def stack_of(layer, options, dtype="float32"):
    return stack(lambda inputs, **more: layer(inputs, H, seed=0, dtype=dtype, **options, **more))


@pytest.mark.long
@every_runtime
@every_cell
def test_recurrent_layers_answer_as_the_model(tmp_path, run, layer, options):
    model, path = stack_of(layer, options), tmp_path / "model.onnx"
    exported(model, path)
    assert largest_difference(run, model, path) < 1e-5


@pytest.mark.long
@every_runtime
@pytest.mark.parametrize("name", ["LSTM", "LSTM with peepholes", "GRU"])
def test_without_lengths_too(tmp_path, run, name):
    model, path = stack_of(*CELLS[name]), tmp_path / "model.onnx"
    exported(model, path, lengths=False)
    assert largest_difference(run, model, path) < 1e-5


@pytest.mark.long
@every_runtime
@pytest.mark.parametrize("name", ["clipped LSTM with peepholes", "GRU", "GRU of 2014"])
def test_in_float64_too(tmp_path, run, name):
    model, path = stack_of(*CELLS[name], "float64"), tmp_path / "model.onnx"
    exported(model, path)
    assert largest_difference(run, model, path, np.float64) < 1e-5


@every_cell
def test_every_built_in_cell_is_the_same_as_a_scan(tmp_path, layer, options):
    model, path = stack_of(layer, options), tmp_path / "model.onnx"
    found = exported(model, path, form="scan")
    kinds = {node.op_type for node in found.graph.node}
    assert "Scan" in kinds and not kinds & {"LSTM", "GRU", "RNN"}
    assert largest_difference(with_onnxruntime, model, path) < 1e-5


@pytest.mark.parametrize(
    ("layer", "options"), [cell for name, cell in CELLS.items() if "clip" not in name]
)
def test_the_plain_operators_are_those_of_onnx_runtime(tmp_path, layer, options):
    model, path = stack_of(layer, options), tmp_path / "model.onnx"
    found = exported(model, path, form="operators")
    kinds = [node.op_type for node in found.graph.node]
    assert kinds.count(layer.__name__) == 4 and "Scan" not in kinds
    assert largest_difference(with_onnxruntime, model, path) < 1e-5


@pytest.mark.parametrize("opset", [13, 17, 18, 21])
def test_one_stack_of_the_usual_kind_at_several_opsets(tmp_path, opset):
    model = with_random_weights(
        Sequential(
            [
                Bidirectional(GRU(I, H, return_sequences=True, seed=0), merge="sum"),
                LayerNorm(H),
                Dropout(0.5),
                Sequential([LSTM(H, H, seed=0, return_sequences=True), Activation("tanh")]),
                Dense(H, 2, seed=0),
            ]
        )
    )
    path = tmp_path / "model.onnx"
    found = exported(model, path, opset=opset)
    assert [entry.version for entry in found.opset_import] == [opset]
    assert largest_difference(with_onnxruntime, model, path) < 1e-5


@every_runtime
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dense_layers_activations_layer_norm_and_flatten(tmp_path, run, dtype):
    T = SIZES[0][1]
    inside = [Dense(I, H, activation=name, seed=0, dtype=dtype) for name in ("relu",)]
    for name in ("gelu", "silu", "softplus", "sigmoid", "tanh", "relu"):
        inside += [Activation(name, dtype=dtype), Dense(H, H, seed=0, dtype=dtype)]
    inside += [LayerNorm(H, eps=1e-3, dtype=dtype), Flatten(dtype=dtype)]
    inside += [Dense(T * H, 2, seed=0, dtype=dtype)]
    model, path = with_random_weights(Sequential(inside)), tmp_path / "model.onnx"
    found = exported(model, path)
    assert largest_difference(run, model, path, dtype, SIZES[:1]) < 1e-5
    steps = found.graph.input[0].type.tensor_type.shape.dim[1]
    assert steps.dim_value == T  # the weights behind Flatten are for so many


@every_runtime
def test_an_embedding_takes_indices_and_padding_that_is_none(tmp_path, run):
    inside = [Embedding(6, I, seed=0), LSTM(I, H, seed=0, return_sequences=True)]
    model = with_random_weights(Sequential([*inside, Dense(H, 6, seed=0)]))
    path = tmp_path / "model.onnx"
    found = exported(model, path, softmax=True)
    assert found.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT64
    for B, T, lengths in SIZES:
        x, lengths = rng().integers(0, 6, (B, T)), np.array(lengths)
        x[np.arange(T) >= lengths[:, None]] = -99
        y = model(x, lengths=lengths)
        wanted = np.exp(y) / np.exp(y).sum(axis=-1, keepdims=True)
        wanted[np.arange(T) >= lengths[:, None]] = 0.0
        got = run(path, {"x": x, "lengths": lengths})["y"]
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


@every_runtime
@pytest.mark.parametrize("form", ["portable", "scan"])
def test_whatever_stands_in_the_padding(tmp_path, run, form):
    model, path = stack_of(GRU, {}), tmp_path / "model.onnx"
    exported(model, path, form=form)
    B, T, lengths = SIZES[0]
    x = rng().normal(size=(B, T, I)).astype("f")
    wanted = model(x, lengths=lengths)
    x[np.arange(T) >= np.array(lengths)[:, None]] = np.nan
    got = run(path, {"x": x, "lengths": np.array(lengths)})["y"]
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)


# ---- states ----------------------------------------------------------------------------------


def state_feed(names, B, dtype=np.float32):
    return {name: rng(n).normal(size=(B, H)).astype(dtype) for n, name in enumerate(names, 3)}


@every_runtime
@pytest.mark.parametrize("lengths", [False, True], ids=["whole", "lengths"])
@pytest.mark.parametrize("form", ["portable", "operators"])
def test_states_go_in_and_come_out(tmp_path, run, lengths, form):
    if form == "operators" and run is not with_onnxruntime:
        pytest.skip("only ONNX Runtime computes sequence_lens where axes are dynamic")
    model, path = (
        with_random_weights(LSTM(I, H, seed=0, return_sequences=True)),
        tmp_path / "m.onnx",
    )
    found = exported(model, path, states=True, lengths=lengths, form=form)
    assert [o.name for o in found.graph.output] == ["y", "hT", "cT"]
    for B, T, valid in SIZES:
        x, feed = rng(2).normal(size=(B, T, I)).astype("f"), state_feed(["h0", "c0"], B)
        valid = np.array(valid) if lengths else None
        y, (h, c) = model(x, tuple(feed.values()), lengths=valid, return_state=True)
        got = run(path, {"x": x} | ({"lengths": valid} if lengths else {}) | feed)
        for name, wanted in (("y", y), ("hT", h), ("cT", c)):
            np.testing.assert_allclose(got[name], wanted, rtol=0, atol=1e-5, err_msg=name)


@every_runtime
def test_states_of_both_directions_have_their_names(tmp_path, run):
    model = with_random_weights(Sequential([Bidirectional(GRU(I, H, seed=0), seed=0)]))
    path, (both,) = tmp_path / "model.onnx", model.layers
    exported(model, path, states=True)
    B, T, lengths = SIZES[0]
    x, lengths = rng(2).normal(size=(B, T, I)).astype("f"), np.array(lengths)
    feed = state_feed(["0.forward.h0", "0.backward.h0"], B)
    y, last = both(x, tuple(feed.values()), lengths=lengths, return_state=True)
    got = run(path, {"x": x, "lengths": lengths} | feed)
    np.testing.assert_allclose(got["y"], y, rtol=0, atol=1e-5)
    for name, wanted in zip(("0.forward.hT", "0.backward.hT"), last, strict=True):
        np.testing.assert_allclose(got[name], wanted, rtol=0, atol=1e-5)


def test_a_stream_in_pieces_is_the_whole(tmp_path):
    model, path = (
        with_random_weights(LSTM(I, H, seed=0, return_sequences=True)),
        tmp_path / "m.onnx",
    )
    exported(model, path, states=True, lengths=False)
    x, pieces = rng(2).normal(size=(2, 9, I)).astype("f"), []
    state = {"h0": np.zeros((2, H), "f"), "c0": np.zeros((2, H), "f")}
    for piece in np.split(x, [1, 5], axis=1):
        got = with_onnxruntime(path, {"x": piece} | state)
        state = {"h0": got["hT"], "c0": got["cT"]}
        pieces.append(got["y"])
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), model(x), rtol=0, atol=1e-5)


# ---- what is in the file ---------------------------------------------------------------------


def small():
    return Sequential([LSTM(I, H, seed=0), Dense(H, 2, seed=0)])


def test_batch_and_time_are_open_and_names_can_be_chosen(tmp_path):
    names = {"x": "signal", "lengths": "steps", "y": "scores", "0.h0": "memory"}
    found = exported(small(), tmp_path / "m.onnx", states=True, names=names)
    shapes = {
        entry.name: [d.dim_param or d.dim_value for d in entry.type.tensor_type.shape.dim]
        for entry in (*found.graph.input, *found.graph.output)
    }
    assert shapes == {
        "signal": ["batch", "time", I], "steps": ["batch"], "memory": ["batch", H],
        "0.c0": ["batch", H], "scores": ["batch", 2], "0.hT": ["batch", H], "0.cT": ["batch", H],
    }  # fmt: skip


def test_a_model_of_rows_has_no_time_and_no_lengths(tmp_path):
    model, path = with_random_weights(Dense(I, 2, seed=0)), tmp_path / "m.onnx"
    found = exported(model, path, time=False)
    assert [entry.name for entry in found.graph.input] == ["x"]
    x = rng().normal(size=(6, I)).astype("f")
    np.testing.assert_allclose(with_onnxruntime(path, {"x": x})["y"], model(x), atol=1e-5)


def test_metadata_say_what_the_numbers_mean(tmp_path):
    from rnnlite import __version__
    from rnnlite.datasets.vocabulary import Vocabulary

    model = Sequential([Embedding(3, I, seed=0), LSTM(I, H, seed=0), Dense(H, 2, seed=0)])
    options = {"class_names": ["no", "ja, ä"], "vocabulary": Vocabulary("abc")}
    found = exported(model, tmp_path / "m.onnx", **options)
    said = {entry.key: entry.value for entry in found.metadata_props}
    assert said["class_names"] == '["no", "ja, ä"]' and said["vocabulary"] == '["a", "b", "c"]'
    assert said["rnnlite_version"] == found.producer_version == __version__
    assert found.producer_name == "rnnlite"


def test_gates_in_another_order_would_be_noticed(tmp_path, monkeypatch):
    for name, order in (("LSTM", (0, 1, 2, 3)), ("GRU", (0, 1, 2))):
        wrong = onnx_gates.OPERATORS[name]._replace(order=order)
        monkeypatch.setitem(onnx_gates.OPERATORS, name, wrong)
        model, path = stack_of(getattr(layers, name), {}), tmp_path / "m.onnx"
        interop.export_onnx(model, path)
        assert largest_difference(with_onnxruntime, model, path) > 0.01


# ---- what is refused -------------------------------------------------------------------------


class Mine(LSTM):
    """A layer that may compute anything."""


REFUSED = {
    "a group": (lambda: Group(a=LSTM(I, H)), {}, TypeError, ["Group(a=LSTM(3, 4))", "its parts"]),
    "a layer of one's own": (
        lambda: Sequential([Mine(I, H)]), {}, TypeError, ["layer 0, Mine(3, 4)", "your own"],
    ),
    "one of both directions": (
        lambda: Bidirectional(Mine(I, H)), {}, TypeError, ["layer forward, Mine(3, 4)"],
    ),
    "rows for a recurrent layer": (
        small, {"time": False}, ValueError, ["layer 0, LSTM(3, 4)", "rows (batch, features)"],
    ),
    "an old opset": (small, {"opset": 12}, ValueError, ["opset is 12", "at least 13"]),
    "an opset of the future": (small, {"opset": 999}, ValueError, ["opset is 999", "at most"]),
    "another form": (small, {"form": "loop"}, ValueError, ["form is 'loop'", "portable"]),
    "an unknown name": (
        small, {"names": {"h0": "a"}}, ValueError, ["names has 'h0'", "x, lengths, y"],
    ),
    "one name twice": (small, {"names": {"x": "y"}}, ValueError, ["two of the name 'y'"]),
    "names that are none": (small, {"names": {"x": 3}}, TypeError, ["names['x'] is 3"]),
    "too few classes": (
        small, {"class_names": ["a"]}, ValueError, ["class_names has 1", "answers 2"],
    ),
    "classes that are no texts": (
        small, {"class_names": [1, 2]}, TypeError, ["class_names[0] is 1", "str"],
    ),
    "no flag": (small, {"states": 1}, TypeError, ["states is 1", "True or False"]),
    "no model": (lambda: "LSTM", {}, TypeError, ["model is of type str"]),
}  # fmt: skip


@pytest.mark.parametrize(("make", "options", "error", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_exported_is_a_sentence_and_no_file(tmp_path, make, options, error, said):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    said = ["export_onnx: ", *said]
    assert_refused(error, said, interop.export_onnx, make(), path, **options)
    assert path.read_bytes() == b"before" and list(tmp_path.iterdir()) == [path]


def test_a_place_that_is_none_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="there is no folder"):
        interop.export_onnx(small(), tmp_path / "nowhere" / "model.onnx")


def test_without_onnx_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    for call in (
        lambda: interop.export_onnx(small(), tmp_path / "m"),
        lambda: interop.import_onnx("m"),
    ):
        with pytest.raises(ImportError, match="needs the library onnx: pip install onnx"):
            call()
