"""ONNX's own test cases for its operators RNN, GRU and LSTM, run through ``functional``.

ONNX describes the networks in another layout: time first, directions stacked, matrices
transposed, gates in the order i, o, f, c and z, r, h.  ``run_node`` here translates; what it
cannot translate is an error, never a skipped case.

In most of the cases that onnx ships all weights are equal, so they could not tell one gate from
another: random weights are compared with onnx's own evaluator as well.

Checked with onnx 1.23.2, which ships 18 cases: 6 of each operator.
"""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from rnnlite import functional

onnx = pytest.importorskip(
    "onnx", minversion="1.23", reason="the test cases of ONNX come with onnx 1.23 or later"
)

from onnx.backend.test.case import node as node_cases  # noqa: E402  (after importorskip)
from onnx.reference import ReferenceEvaluator  # noqa: E402

INPUTS = {
    "RNN": ("X", "W", "R", "B", "sequence_lens", "initial_h"),
    "GRU": ("X", "W", "R", "B", "sequence_lens", "initial_h"),
    "LSTM": ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P"),
}
ACTIVATIONS = {"RNN": ("tanh",), "GRU": ("sigmoid", "tanh"), "LSTM": ("sigmoid", "tanh", "tanh")}
# Where our gates stand among ONNX's: i, f, g, o in i, o, f, c; r, z, n in z, r, h.
GATES = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}
PEEPHOLES = (0, 2, 1)  # i, f, o in i, o, f


# --- the translation ------------------------------------------------------------------------


def reordered(array, order):
    """Blocks of rows, in the order of ``functional``."""
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[k] for k in order])


def mirrored(array, lengths):
    """Sequences (B, T, N), the valid steps of each from the last to the first."""
    B, T, _ = array.shape
    lengths = np.full(B, T) if lengths is None else lengths
    steps = np.arange(T)
    last = np.asarray(lengths)[:, None] - 1
    return array[np.arange(B)[:, None], np.where(steps <= last, last - steps, steps)]


def one_direction(operator, x, given, lengths, activations, options):
    """h (B, T, H) and the final states, from the inputs of one direction."""
    Wx, Wh = (reordered(given[name], GATES[operator]).T for name in ("W", "R"))
    b, bh = np.zeros((2, Wx.shape[1]), x.dtype)
    if "B" in given:
        b, bh = (reordered(half, GATES[operator]) for half in np.split(given["B"], 2))
    h0 = given.get("initial_h")
    if operator == "GRU":
        reset_after = bool(options.pop("linear_before_reset", 0))
        wanted = ACTIVATIONS["GRU"]
        h, hT, _ = functional.gru_forward(x, Wx, Wh, b, bh, h0, lengths, reset_after=reset_after)
    elif operator == "LSTM":
        clip = options.pop("clip", None)
        if not options.pop("input_forget", 0) == 0:
            raise NotImplementedError("input_forget: input and forget gate coupled")
        peephole = reordered(given["P"], PEEPHOLES) if "P" in given else None
        wanted = ACTIVATIONS["LSTM"]
        h, (hT, *cT), _ = functional.lstm_forward(
            x, Wx, Wh, b + bh, h0, given.get("initial_c"), lengths, peephole=peephole, clip=clip
        )
    else:
        wanted = activations if activations in (("tanh",), ("relu",)) else ACTIVATIONS["RNN"]
        h, hT, _ = functional.rnn_forward(x, Wx, Wh, b + bh, h0, lengths, wanted[0])
    if activations != wanted:
        raise NotImplementedError(f"activations {activations} of {operator}; known: {wanted}")
    if options:
        raise NotImplementedError(f"attributes {sorted(options)} of {operator}")
    return h, (hT, *cT) if operator == "LSTM" else (hT,)


def run_node(node, inputs):
    """Y, Y_h and for an LSTM Y_c, as the node's operator defines them, by ``functional``."""
    operator = node.op_type
    if operator not in INPUTS:
        raise NotImplementedError(f"operator {operator}")
    present = [place for place, name in enumerate(node.input) if name]
    if len(present) != len(inputs) or max(present) >= len(INPUTS[operator]):
        raise NotImplementedError(f"inputs {list(node.input)} of {operator}")
    given = {INPUTS[operator][k]: array for k, array in zip(present, inputs, strict=True)}
    options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    direction = options.pop("direction", b"forward").decode()
    if direction not in ("forward", "reverse", "bidirectional"):
        raise NotImplementedError(f"direction {direction}")
    reverse = {"forward": [False], "reverse": [True]}.get(direction, [False, True])
    batch_first = bool(options.pop("layout", 0))
    named = [name.decode().lower() for name in options.pop("activations", [])]
    named = named or ACTIVATIONS[operator] * len(reverse)
    each = len(named) // len(reverse)
    if options.pop("hidden_size", None) not in (None, given["R"].shape[2]):
        raise NotImplementedError("a hidden_size other than that of R")

    x, lengths = given.pop("X"), given.pop("sequence_lens", None)
    if not batch_first:
        x = x.swapaxes(0, 1)
    outputs = []
    for d, backwards in enumerate(reverse):
        states_first = not batch_first
        own = {
            name: array[d] if states_first or not name.startswith("initial") else array[:, d]
            for name, array in given.items()
        }
        activations = tuple(named[d * each : (d + 1) * each])
        read = mirrored(x, lengths) if backwards else x
        h, states = one_direction(operator, read, own, lengths, activations, dict(options))
        outputs.append((mirrored(h, lengths) if backwards else h, *states))
    h, *states = zip(*outputs, strict=True)  # one of each for every direction
    if batch_first:
        return np.stack(h, axis=2), *(np.stack(state, axis=1) for state in states)
    return np.stack([a.swapaxes(0, 1) for a in h], axis=1), *map(np.stack, states)


# --- the cases that onnx ships --------------------------------------------------------------


def shipped_cases():
    """Every node test case of onnx that has to do with one of the operators.

    Making all 1,900 cases takes 8 s, so modules that name none of the operators stay closed.
    """
    folder = Path(node_cases.__file__).parent
    state = np.random.get_state()  # noqa: NPY002  (the modules seed NumPy's global generator)
    for path in sorted(folder.rglob("*.py")):
        if path.name != "__init__.py" and re.search(r'"(RNN|GRU|LSTM)"', path.read_text("utf-8")):
            inside = path.relative_to(folder).with_suffix("").parts
            importlib.import_module(".".join([node_cases.__name__, *inside]))
    np.random.set_state(state)  # noqa: NPY002
    return [
        case
        for case in node_cases._NodeTestCases
        if re.match(r"test_(simple_)?(rnn|gru|lstm)", case.name)
        or {node.op_type for node in case.model.graph.node} & set(INPUTS)
    ]


CASES = shipped_cases()


def test_onnx_ships_cases_for_every_operator():
    assert len(CASES) >= 18
    assert len({case.name for case in CASES}) == len(CASES)
    assert {node.op_type for case in CASES for node in case.model.graph.node} == set(INPUTS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.removeprefix("test_"))
def test_the_case_gives_what_onnx_expects(case):
    (node,) = case.model.graph.node
    assert case.data_sets
    for inputs, expected in case.data_sets:
        results = run_node(node, inputs)
        wanted = [result for result, name in zip(results, node.output, strict=False) if name]
        assert len(wanted) == len(expected) > 0
        for got, array in zip(wanted, expected, strict=True):
            assert (got.dtype, got.shape) == (array.dtype, array.shape)
            np.testing.assert_allclose(got, array, rtol=1e-5, atol=1e-5)


# --- random weights, against onnx's evaluator -----------------------------------------------


def random_node(operator, direction="forward", layout=0, peepholes=False, lengths=None, **options):
    """A node and its inputs: T = 4, B = 3, I = 2, H = 5."""
    rng = np.random.default_rng(0)
    T, B, I, H = 4, 3, 2, 5
    D, G = 1 + (direction == "bidirectional"), len(GATES[operator])
    shapes = {"W": (D, G * H, I), "R": (D, G * H, H), "B": (D, 2 * G * H)}
    shapes["X"] = (B, T, I) if layout else (T, B, I)
    shapes["initial_h"] = shapes["initial_c"] = (B, D, H) if layout else (D, B, H)
    if peepholes:
        shapes["P"] = (D, 3 * H)
    given = {name: rng.normal(0.0, 0.7, shape).astype(np.float32) for name, shape in shapes.items()}
    if lengths is not None:
        given["sequence_lens"] = np.array(lengths, np.int32)
    names = [name if name in given else "" for name in INPUTS[operator]]
    outputs = ("Y", "Y_h", "Y_c") if operator == "LSTM" else ("Y", "Y_h")
    node = onnx.helper.make_node(
        operator, names, outputs, hidden_size=H, direction=direction, layout=layout, **options
    )
    return node, [given[name] for name in names if name]


def evaluate(node, inputs):
    """What onnx's own evaluator makes of a node."""
    names = [name for name in node.input if name]
    graph = onnx.helper.make_graph(
        [node],
        "one_node",
        [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in zip(names, inputs, strict=True)
        ],
        [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in node.output],
    )
    model = onnx.helper.make_model(graph)
    return ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True)))


def largest_difference(node, inputs):
    pairs = zip(run_node(node, inputs), evaluate(node, inputs), strict=True)
    return max(np.abs(ours - theirs).max() for ours, theirs in pairs)


VARIANTS = {
    "RNN": ("RNN", {}),
    "GRU": ("GRU", {"linear_before_reset": 0}),
    "GRU, linear before reset": ("GRU", {"linear_before_reset": 1}),
    "LSTM": ("LSTM", {}),
    "LSTM with peepholes": ("LSTM", {"peepholes": True}),
}


@pytest.mark.parametrize(("operator", "options"), VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("layout", [0, 1])
def test_random_weights_give_what_onnxs_evaluator_gives(operator, options, direction, layout):
    node, inputs = random_node(operator, direction, layout, **options)
    assert largest_difference(node, inputs) < 1e-5


@pytest.mark.parametrize(("operator", "options"), VARIANTS.values(), ids=VARIANTS.keys())
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_each_row_is_read_to_its_length(operator, options, direction):
    """The evaluator does not look at sequence_lens: it gets every row alone, cut to its length."""
    lengths = (2, 4, 1)
    node, inputs = random_node(operator, direction, lengths=lengths, **options)
    names = [name for name in node.input if name]
    results = run_node(node, inputs)
    node.input[names.index("sequence_lens")] = ""
    for row, length in enumerate(lengths):
        alone = {"X": inputs[0][:length, row : row + 1]} | {
            name: array[:, row : row + 1] if name.startswith("initial") else array
            for name, array in zip(names, inputs, strict=True)
            if name not in ("X", "sequence_lens")
        }
        Y, *states = evaluate(node, [alone[name] for name in node.input if name])
        np.testing.assert_allclose(results[0][:length, :, row], Y[:, :, 0], rtol=0, atol=1e-5)
        assert not results[0][length:, :, row].any()
        for ours, theirs in zip(results[1:], states, strict=True):
            np.testing.assert_allclose(ours[:, row], theirs[:, 0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("operator", "options", "wrong"),
    [
        ("GRU", {}, {"GATES": GATES | {"GRU": (0, 1, 2)}}),
        ("LSTM", {}, {"GATES": GATES | {"LSTM": (0, 1, 2, 3)}}),
        ("LSTM", {"peepholes": True}, {"PEEPHOLES": (0, 1, 2)}),
    ],
    ids=["z, r, h", "i, o, f, c", "i, o, f"],
)
def test_random_weights_tell_the_gates_apart(monkeypatch, operator, options, wrong):
    for name, value in wrong.items():
        monkeypatch.setitem(globals(), name, value)
    assert largest_difference(*random_node(operator, **options)) > 0.01


# --- what only the translation knows --------------------------------------------------------


def test_activations_are_read_for_each_direction():
    node, inputs = random_node("RNN", "bidirectional", activations=["Relu", "tanh"])
    Y, _ = run_node(node, inputs)
    tanh, _ = run_node(*random_node("RNN", "bidirectional"))
    np.testing.assert_array_equal(Y[:, 1], tanh[:, 1])
    X, W, R, B, h0 = (array.astype(np.float64) for array in inputs)
    h = h0[0]
    for t in range(4):
        h = np.maximum(X[t] @ W[0].T + h @ R[0].T + B[0, :5] + B[0, 5:], 0)
        np.testing.assert_allclose(Y[t, 0], h, rtol=1e-5, atol=1e-5)


@pytest.mark.long
def test_clip_bounds_the_input_of_every_activation():
    """In the words of the standard; ONNX Runtime 1.31 leaves the input of the last tanh alone."""
    node, inputs = random_node("LSTM", peepholes=True, clip=0.6)
    Y, _, Y_c = run_node(node, inputs)
    X, W, R, B, h, c, P = (array.astype(np.float64) for array in inputs)
    h, c = h[0], c[0]

    def sigmoid(a):
        return 1 / (1 + np.exp(-np.clip(a, -0.6, 0.6)))

    def tanh(a):
        return np.tanh(np.clip(a, -0.6, 0.6))

    p_i, p_o, p_f = np.split(P[0], 3)
    for t in range(4):
        z = X[t] @ W[0].T + h @ R[0].T + B[0, :20] + B[0, 20:]
        i, o, f, g = np.split(z, 4, axis=1)
        c, before = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(g), c
        assert (np.abs(before) > 0.6).any()
        h = sigmoid(o + p_o * c) * tanh(c)
        np.testing.assert_allclose(Y[t, 0], h, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(Y_c[0], c, rtol=1e-5, atol=1e-5)


UNKNOWN = {
    "coupled gates": ("LSTM", {"input_forget": 1}, "input_forget"),
    "a clipped GRU": ("GRU", {"clip": 1.0}, "clip"),
    "a clipped RNN": ("RNN", {"clip": 1.0}, "clip"),
    "another activation": ("RNN", {"activations": ["Softsign"]}, "softsign"),
    "activations exchanged": ("GRU", {"activations": ["Tanh", "Sigmoid"]}, "tanh"),
    "a hard sigmoid": ("LSTM", {"activations": ["HardSigmoid", "Tanh", "Tanh"]}, "hardsigmoid"),
    "a scaled activation": ("RNN", {"activation_alpha": [0.5]}, "activation_alpha"),
    "an attribute of the future": ("RNN", {"residual": 1}, "residual"),
    "another direction": ("RNN", {"direction": "sideways"}, "sideways"),
}


@pytest.mark.parametrize(("operator", "options", "named"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_cannot_be_translated_is_an_error(operator, options, named):
    with pytest.raises(NotImplementedError, match=named):
        run_node(*random_node(operator, **options))


def test_another_operator_or_input_is_an_error():
    node, inputs = random_node("RNN")
    with pytest.raises(NotImplementedError, match="operator Relu"):
        run_node(onnx.helper.make_node("Relu", ["X"], ["Y"]), inputs[:1])
    node.input.append("one_more")
    with pytest.raises(NotImplementedError, match="one_more"):
        run_node(node, [*inputs, inputs[0]])
