"""A ``state_dict`` of arrays, without PyTorch: what is inferred, what is asked, what is refused."""

import sys

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits

import rnnlite
from rnnlite import GRU, LSTM, RNN, Bidirectional, Dense, Embedding, LayerNorm, Sequential, interop

I, H = 4, 6


@pytest.fixture(autouse=True)
def _without_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


def arrays(shapes, dtype="f"):
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def recurrent(prefix="", gates=4, I=I, suffix="_l0", bias=True):
    """Shapes of one direction."""
    shapes = {"weight_ih": (gates * H, I), "weight_hh": (gates * H, H)}
    if bias:
        shapes |= {"bias_ih": (gates * H,), "bias_hh": (gates * H,)}
    return {f"{prefix}{name}{suffix}": shape for name, shape in shapes.items()}


def linear(prefix, rows, columns):
    return {f"{prefix}weight": (rows, columns), f"{prefix}bias": (rows,)}


BOTH = recurrent() | recurrent(suffix="_l0_reverse")
STACK = BOTH | recurrent(I=2 * H, suffix="_l1") | recurrent(I=2 * H, suffix="_l1_reverse")
INFERRED = {
    "lstm": (recurrent(), "LSTM(4, 6, return_sequences=True)"),
    "gru": (recurrent(gates=3), "GRU(4, 6, return_sequences=True)"),
    "no bias": (recurrent(bias=False), "LSTM(4, 6, return_sequences=True)"),
    "a cell": (recurrent(suffix=""), "LSTM(4, 6, return_sequences=True)"),
    "both ways": (BOTH, "Bidirectional(LSTM(4, 6, return_sequences=True))"),
    "stack": (
        STACK,
        "Sequential([Bidirectional(LSTM(4, 6, return_sequences=True)), "
        "Bidirectional(LSTM(12, 6, return_sequences=True))])",
    ),
    "linear": (linear("", 3, 4), "Dense(4, 3)"),
    "norm": (linear("", 3, 4) | {"weight": (3,)}, "LayerNorm(3)"),
    "positions": (
        recurrent("0.") | {"1.weight": (H,), "1.bias": (H,)} | linear("2.", 2, H),
        "Sequential([LSTM(4, 6, return_sequences=True), LayerNorm(6), Dense(6, 2)])",
    ),
    "one position": (recurrent("0."), "Sequential([LSTM(4, 6, return_sequences=True)])"),
    "names": (
        {"words.weight": (9, I)} | recurrent("rnn.", 3) | linear("head.", 2, H),
        "Sequential([Embedding(9, 4), GRU(4, 6, return_sequences=True), Dense(6, 2)])",
    ),
    "a Linear without bias": (
        {"0.weight": (I, 9)} | recurrent("1."),
        "Sequential([Dense(9, 4), LSTM(4, 6, return_sequences=True)])",
    ),
}


@pytest.mark.parametrize(("shapes", "wanted"), INFERRED.values(), ids=INFERRED)
def test_the_architecture_is_inferred_where_it_can_be(shapes, wanted):
    state = arrays(shapes)
    model = interop.from_torch(state)
    assert repr(model) == wanted and model.dtype == np.float32
    assert interop.from_torch(arrays(shapes, "d")).dtype == np.float64
    names = interop.to_torch(model, like=state)
    for name, array in names.items():
        if "bias_" not in name or "GRU" in wanted:
            assert_same_bits(name, np.asarray(array), state[name])


def test_the_last_recurrent_layer_may_answer_once():
    model = interop.from_torch(arrays(STACK), return_sequences=False)
    assert [layer.return_sequences for layer in model.layers] == [True, False]


ASKED = {
    "tanh or relu": (recurrent(gates=1), "RNN of tanh or of relu", "RNN(4, 6, return_sequences=Tr"),
    "table or matrix": ({"weight": (9, 4)}, "an Embedding or a Linear", "into=Embedding(9, 4)"),
    "square table": (
        {"a.weight": (I, I)} | recurrent("b."), "module 'a' is an Embedding", "into=Sequential(",
    ),
    "two Linear": (
        recurrent("a.") | linear("b.", 5, H) | linear("c.", 2, 5),
        "what stands around module 'b'", "Dense(6, 5), Dense(5, 2)])",
    ),
    "a norm by name": (
        recurrent("a.") | {"n.weight": (H,), "n.bias": (H,)}, "around module 'n'", "LayerNorm(6)",
    ),
    "a gap": (linear("0.", 5, 4) | linear("2.", 3, 5), "at the positions [1]", "Dense(5, 3)])"),
    "another order": (
        linear("head.", 2, H) | recurrent("rnn."),
        "the modules run: module 'head' gives 2 features, module 'rnn' takes 4", "Dense(6, 2), LS",
    ),
    "a scale": ({"weight": (4,)}, "what the module is", "LayerNorm(4)"),
}  # fmt: skip


@pytest.mark.parametrize(("shapes", "reason", "draft"), ASKED.values(), ids=ASKED)
def test_what_is_open_is_asked_with_a_first_draft(shapes, reason, draft):
    fragments = ["from_torch: the state_dict does not say", reason, "give the architecture", draft]
    assert_refused(ValueError, fragments, interop.from_torch, arrays(shapes))


def test_a_draft_can_be_taken_as_it_stands():
    with pytest.raises(ValueError) as raised:
        interop.from_torch(arrays(recurrent(gates=1)))
    draft = str(raised.value).partition("into=")[2].removesuffix(")")
    into = eval(draft, vars(rnnlite))
    assert into.activation == "tanh"
    state = arrays(recurrent(gates=1))
    assert interop.from_torch(state, into=into) is into
    assert_same_bits("Wx", into.params["Wx"], state["weight_ih_l0"].T)


def test_a_dict_in_another_order_is_another_order_of_layers():
    state = arrays(linear("head.", 2, H) | recurrent("rnn."))
    into = Sequential([LSTM(I, H, seed=0), Dense(H, 2, seed=1)])
    assert_refused(ValueError, ["do not fit layer 0, LSTM(4, 6)"], interop.from_torch, state, into)
    in_order = {name: state[name] for name in sorted(state, key=lambda name: name[:4] == "head")}
    assert interop.from_torch(in_order, into) is into
    assert_same_bits("W", into.params["1.W"], state["head.weight"].T)


# ---- the order of the alphabet, which is that of safetensors files -------------------------------

NAMED = {"words.weight": (9, I)} | recurrent("rnn.", 3) | linear("head.", 2, H)
MODEL = "Sequential([Embedding(9, 4), GRU(4, 6, return_sequences=True), Dense(6, 2)])"


def alphabetical(shapes):
    state = arrays(shapes)
    return {name: state[name] for name in sorted(state)}


def test_in_the_order_of_the_alphabet_the_one_order_that_fits_is_taken():
    state = alphabetical(NAMED)
    model = interop.from_torch(state)
    assert repr(model) == MODEL and next(iter(state)) == "head.bias"
    into = Sequential([Embedding(9, I, seed=1), GRU(I, H, seed=1), Dense(H, 2, seed=1)])
    interop.from_torch(state, into=into)
    assert_same_bits("params", into.flat_params, model.flat_params)
    back = interop.to_torch(into, like=state)
    for name, array in state.items():
        assert_same_bits(name, np.asarray(back[name]), array)


SEVERAL = recurrent("decoder.", I=H) | recurrent("encoder.", I=H)
MANY = {name: shape for n in "abcdefg" for name, shape in linear(f"{n}.", I, I).items()}


@pytest.mark.parametrize(("shapes", "count"), [(SEVERAL, "2"), (MANY, "many")])
def test_where_several_orders_fit_it_is_asked(shapes, count):
    state, kinds = alphabetical(shapes), {"2": LSTM(H, H, return_sequences=True)}
    parts = [kinds.get(count, Dense(I, I)).copy() for _ in range(2 if count == "2" else 7)]
    said = ["in which order the modules run: the names are in the order of the", f"{count} orders"]
    assert_refused(ValueError, said, interop.from_torch, state)
    into = Sequential(parts)
    before = into.flat_params.copy()
    assert_refused(ValueError, said, interop.from_torch, state, into=into)
    assert_same_bits("params", into.flat_params, before)
    interop.from_torch(arrays(shapes), into=into)  # in the order in which PyTorch has them


def test_positions_say_their_order_in_any_alphabet():
    shapes = {name: shape for n in (2, 10) for name, shape in linear(f"f.{n}.", I, I).items()}
    state = alphabetical(shapes)
    assert next(iter(state)) == "f.10.bias"
    into = interop.from_torch(state, into=Sequential([Dense(I, I, seed=0), Dense(I, I, seed=1)]))
    assert_same_bits("W", into.params["0.W"], state["f.2.weight"].T)


# ---- what does not fit ---------------------------------------------------------------------------

SMALL = lambda: Sequential([GRU(I, H, seed=0), Dense(H, 2, seed=1)])  # noqa: E731
GOOD = recurrent("a.", 3) | linear("b.", 2, H)
UNFIT = {
    "fewer": (recurrent("a.", 3), ["there are 1 layers in the state_dict (module 'a'), 2 in the"]),
    "more": (GOOD | linear("c.", 2, 2), ["there are 3 layers", "module 'c'", "1: Dense(6, 2)"]),
    "shape": (GOOD | linear("b.", 3, H), ["'b.weight' has shape (3, 6); wanted (2, 6)", "layer 1"]),
    "gates": (recurrent("a.", 4) | linear("b.", 2, H), ["'a.weight_ih_l0' has shape (24, 4); wan"]),
    "ways": (
        GOOD | recurrent("a.", 3, suffix="_l0_reverse"),
        ["module 'a' has the arrays", "in both directions", "do not fit layer 0, GRU(4, 6)"],
    ),
    "kind": (GOOD | {"b.weight": (2,)}, ["'b.weight' has shape (2,); wanted (2, 6)"]),
}


@pytest.mark.parametrize(("shapes", "fragments"), UNFIT.values(), ids=UNFIT)
def test_arrays_that_do_not_fit_are_named_and_nothing_is_written(shapes, fragments):
    into = SMALL()
    before = into.flat_params.copy()
    fragments = ["from_torch: ", *fragments]
    assert_refused(ValueError, fragments, interop.from_torch, arrays(shapes), into)
    assert_same_bits("params", into.flat_params, before)


BROKEN = {
    "projection": (recurrent("a.") | {"a.weight_hr_l0": (3, H)}, ["module 'a'", "proj_size"]),
    "another module": ({"bn.running_mean": (3,)}, ["'bn.running_mean', no name of LSTM, GRU"]),
    "one weight": ({"a.weight_ih_l0": (24, 4)}, ["module 'a' lacks weight_hh"]),
    "one bias": (recurrent(bias=False) | {"bias_ih_l0": (24,)}, ["has one bias of two"]),
    "bias alone": ({"a.bias": (3,)}, ["'a.bias', and no weight beside it"]),
    "gates": ({"weight_ih_l0": (12, 4), "weight_hh_l0": (12, 6)}, ["of 4, 3 or 1 gates"]),
    "rows": (recurrent() | {"weight_ih_l0": (20, 4)}, ["(20, 4); wanted (24, I)"]),
    "axes": ({"conv.weight": (3, 3, 3)}, ["'conv.weight' has shape (3, 3, 3); wanted one or two"]),
    "bias": ({"a.weight": (3, 2), "a.bias": (2,)}, ["'a.bias' has shape (2,); wanted (3,)"]),
    "reverse": (BOTH | {"bias_ih_l0": (24,)} | recurrent(bias=False, suffix="_l1_reverse") |
                recurrent(suffix="_l1"), ["other arrays forward than in reverse"]),
    "a level": (recurrent() | recurrent(I=H, suffix="_l2"), ["lacks layer 1 of its stack"]),
    "the first": (recurrent(suffix="_l1"), ["module '' lacks layer 0 of its stack; it has 1"]),
    "reverse alone": (recurrent(suffix="_l0_reverse"), ["and nothing forward beside it"]),
    "a chain": (recurrent() | recurrent(I=5, suffix="_l1"), ["(24, 5); wanted (24, 6)"]),
    "kinds": (recurrent() | recurrent(gates=3, I=H, suffix="_l1"), ["(18, 6); wanted (24, 6)"]),
    "ways": (recurrent() | recurrent(I=5, suffix="_l0_reverse"), ["(24, 5); wanted (24, 4)"]),
    "beside": (recurrent() | {"weight": (2, 2)}, ["arrays of its own beside those of its layers"]),
    "no numbers": ({"weight": (0, 3)}, ["state_dict['weight'] has shape (0, 3), no numbers"]),
    "nothing": ({}, ["the state_dict is empty"]),
}  # fmt: skip


@pytest.mark.parametrize(("shapes", "fragments"), BROKEN.values(), ids=BROKEN)
def test_a_state_dict_that_is_none_of_torch_nn_is_told(shapes, fragments):
    assert_refused(ValueError, ["from_torch: ", *fragments], interop.from_torch, arrays(shapes))


@pytest.mark.parametrize(
    ("state", "fragment"),
    [
        ({"weight": np.zeros((3, 2), int)}, "state_dict['weight'] holds int64; wanted floats"),
        ({"weight": [["a"]]}, "state_dict['weight'] holds <U1"),
        ({3: np.zeros(3)}, "has the key 3; wanted names"),
        ({"epoch": 3, "model": arrays(recurrent())}, "state_dict['model'] is a dict, as in a che"),
    ],
)
def test_what_is_no_array_of_numbers_is_told(state, fragment):
    assert_refused(TypeError, ["from_torch: ", fragment], interop.from_torch, state)


def test_a_dtype_that_into_does_not_have_is_refused():
    fragments = ["dtype is 'float64'; into computes in float32"]
    assert_refused(
        ValueError, fragments, interop.from_torch, arrays(GOOD), SMALL(), dtype="float64"
    )


def test_without_pytorch_a_module_is_refused_with_the_command():
    fragments = ["from_torch needs the library torch: pip install torch"]
    assert_refused(ImportError, fragments, interop.from_torch, object())


# ---- names ---------------------------------------------------------------------------------------


def test_names_are_those_of_torch_nn():
    model = Sequential([
        Embedding(9, I, seed=0),
        Sequential([GRU(I, H, return_sequences=True, seed=0), rnnlite.Dropout(0.5, seed=0),
                    GRU(H, H, return_sequences=True, seed=0)]),
        LayerNorm(H),
        Dense(H, 5, activation="tanh", seed=0),
        Bidirectional(LSTM(5, H, seed=0)),
        rnnlite.Activation("relu"),
        Dense(2 * H, 2, seed=0),
    ])  # fmt: skip
    state = interop.to_torch(model)
    modules = list(dict.fromkeys(name.rpartition(".")[0] for name in state))
    assert modules == ["0", "1", "2", "3", "5", "7"]  # 4: tanh, 6: relu
    assert [name for name in state if name[:2] == "1."] == list(
        recurrent("1.", suffix="_l0") | recurrent("1.", suffix="_l1")
    )
    assert "5.weight_ih_l0_reverse" in state and state["3.weight"].shape == (5, H)
    assert list(interop.to_torch(model.layers[-1])) == ["weight", "bias"]
    assert not state["5.bias_hh_l0"].any() and state["5.bias_ih_l0"].any()


CUSTOM = rnnlite.cells.RNN["tanh"]._replace(name="mine")


class Own(rnnlite.Layer):
    def __init__(self, dtype="float32"):
        super().__init__({"w": (2,)}, dtype)


NOT_THERE = {
    "peephole": (ValueError, lambda: LSTM(2, 3, peephole=True), "has peephole, which torch.nn"),
    "clip": (ValueError, lambda: LSTM(2, 3, clip=1.0), "has clip, which torch.nn does not have"),
    "reset": (ValueError, lambda: GRU(2, 3, reset_after=False), "has reset_after=False"),
    "cell": (ValueError, lambda: rnnlite.Recurrent(CUSTOM, 2, 3), "has the cell 'mine'"),
    "inside": (ValueError, lambda: Bidirectional(LSTM(2, 3, clip=1.0)), "layer 1, LSTM(2, 3, cl"),
    "backwards": (ValueError, lambda: RNN(2, 3, go_backwards=True), "has go_backwards=True"),
    "sum": (ValueError, lambda: Bidirectional(RNN(2, 3), merge="sum"), "has merge='sum'"),
    "own": (TypeError, Own, "Own() is a layer of your own with weights of its own, 'w'"),
}


@pytest.mark.parametrize(("error", "make", "fragment"), NOT_THERE.values(), ids=NOT_THERE)
def test_what_torch_nn_does_not_have_is_refused_by_the_layers_key(error, make, fragment):
    model = Sequential([Dense(2, 2, seed=0), make()])
    assert_refused(error, ["to_torch: layer 1, ", fragment], interop.to_torch, model)


def test_for_its_weights_alone_a_layer_may_go_backwards():
    layer = RNN(I, H, go_backwards=True, seed=0)
    state = interop.to_torch(layer, like=arrays(recurrent(gates=1)))
    again = interop.from_torch(state, into=RNN(I, H, go_backwards=True, seed=1))
    assert_same_bits("Wh", again.params["Wh"], layer.params["Wh"])


def test_what_is_no_model_is_refused():
    assert_refused(TypeError, ["to_torch: it is of type dict"], interop.to_torch, {})
    fragments = ["to_torch: like is of type int; wanted a module or a state_dict"]
    assert_refused(TypeError, fragments, interop.to_torch, SMALL(), like=3)
