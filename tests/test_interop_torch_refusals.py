"""What from_torch and to_torch refuse, by the name of the module, and what they say."""

import pytest
from conftest import assert_refused
from test_interop_torch import H, I, Net, nn, torch

import rnnlite
from rnnlite import interop

OPTIONS = {
    "nonlinearity": (
        lambda: nn.RNN(I, H, nonlinearity="relu", bidirectional=True),
        lambda: rnnlite.Bidirectional(rnnlite.RNN(I, H)),
        "nonlinearity='relu', Bidirectional(RNN(4, 6)) has activation='tanh'",
    ),
    "eps": (lambda: nn.LayerNorm(I, 1e-3), lambda: rnnlite.LayerNorm(I), "eps=0.001, LayerNorm(4)"),
    "padding_idx": (
        lambda: nn.Embedding(5, I, -1), lambda: rnnlite.Embedding(5, I), "has padding_idx=4, Embed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("theirs", "ours", "said"), OPTIONS.values(), ids=OPTIONS)
def test_options_that_no_array_shows_must_be_the_same(theirs, ours, said):
    module, model = nn.Sequential(theirs()), ours()
    said = ["module '0' has", said, "state_dict()"]
    assert_refused(ValueError, said, interop.from_torch, module, into=model)
    if "padding" not in said[1]:
        assert_refused(ValueError, said, interop.to_torch, model, like=module)
    else:  # which no answer shows
        module.load_state_dict(interop.to_torch(model, like=module))
    interop.from_torch(module.state_dict(), into=model)
    module.load_state_dict(interop.to_torch(model, like=module.state_dict()))


ENDS = {
    "time": (lambda: [nn.LSTM(I, H), nn.Softmax(dim=1)], True, "dim is 1, of (batch, time, feat"),
    "implicit": (lambda: [nn.LSTM(I, H), nn.LogSoftmax()], True, "dim is None, of (batch, time"),
    "rows": (lambda: [nn.Linear(I, H), nn.Softmax(dim=0)], True, "dim is 0, of (batch, features)"),
}


@pytest.mark.parametrize(("modules", "sequences", "said"), ENDS.values(), ids=ENDS)
def test_a_softmax_over_another_axis_is_not_left_out(modules, sequences, said):
    module, options = nn.Sequential(*modules()), {"logits": True, "return_sequences": sequences}
    fragments = ["from_torch: module '1' (", said, "wanted the last axis"]
    assert_refused(ValueError, fragments, interop.from_torch, module, **options)
    if "rows" not in said and "time" in said:
        interop.from_torch(module, logits=True, return_sequences=False)


def test_a_softmax_alone_is_no_model():
    fragments = ["Softmax can stand at the end only, behind other modules"]
    assert_refused(TypeError, fragments, interop.from_torch, nn.Softmax(-1), logits=True)


REFUSED = {
    "proj_size": (ValueError, lambda: nn.LSTM(4, 6, proj_size=3), ["'1' (LSTM): proj_size is 3"]),
    "gelu": (ValueError, lambda: nn.GELU("tanh"), ["'1' (GELU): approximate is 'tanh'"]),
    "softplus": (ValueError, lambda: nn.Softplus(beta=2), ["'1' (Softplus): beta is 2"]),
    "threshold": (ValueError, lambda: nn.Softplus(1, 3), ["'1' (Softplus): threshold is 3, above"]),
    "flatten": (ValueError, lambda: nn.Flatten(2), ["'1' (Flatten): it has start_dim 2"]),
    "norm": (ValueError, lambda: nn.LayerNorm((2, 3)), ["'1' (LayerNorm): normalized_shape is"]),
    "dropout": (ValueError, lambda: nn.Dropout(1.0), ["'1' (Dropout): rate is 1.0"]),
    "max_norm": (ValueError, lambda: nn.Embedding(3, 2, max_norm=1.0), ["'1' (Embedding): max_n"]),
    "conv": (TypeError, lambda: nn.Conv1d(4, 4, 1), ["'1' (Conv1d): rnnlite has no layer for a"]),
    "softmax": (
        TypeError,
        lambda: nn.Softmax(-1),
        ["'1' (Softmax): Softmax can stand at the end only"],
    ),
    "own": (TypeError, lambda: Net(), ["'1' (Net): Net is a class of its own", "head: Linear"]),
    "derived": (TypeError, lambda: type("LSTM", (nn.LSTM,), {})(4, 4), ["no layer for a LSTM"]),
}


@pytest.mark.parametrize(("error", "make", "fragments"), REFUSED.values(), ids=REFUSED)
def test_what_rnnlite_does_not_have_is_refused_by_the_modules_name(error, make, fragments):
    module = nn.Sequential(nn.Linear(4, 4), make(), nn.Linear(4, 4))
    fragments = ["from_torch: module ", *fragments]
    assert_refused(error, fragments, interop.from_torch, module)


def test_shared_parameters_are_refused():
    one = nn.Linear(4, 4)
    fragments = ["'1.weight' and '0.weight' are one parameter"]
    assert_refused(ValueError, fragments, interop.from_torch, nn.Sequential(one, one))


def test_what_is_no_module_is_refused():
    fragments = ["module_or_state_dict is of type list", "module of torch.nn or a state_dict"]
    assert_refused(TypeError, fragments, interop.from_torch, [1])
    fragments = ["is of type str", "torch.load(path, weights_only=True)"]
    assert_refused(TypeError, fragments, interop.from_torch, "lstm.pt")
    fragments = ["to_torch: like is of type type"]
    assert_refused(TypeError, fragments, interop.to_torch, rnnlite.LSTM(3, 4), like=nn.LSTM)


def test_tensors_without_numbers_and_of_other_kinds_are_refused():
    fragments = ["state_dict['weight_ih_l0'] is on the device meta"]
    assert_refused(ValueError, fragments, interop.from_torch, nn.LSTM(3, 4, device="meta"))
    state = {"weight": torch.zeros(3, 2, dtype=torch.int8), "bias": torch.zeros(3)}
    fragments = ["state_dict['weight'] holds int8; wanted floats"]
    assert_refused(TypeError, fragments, interop.from_torch, state)


@pytest.mark.parametrize("how", ["weight_norm", "spectral_norm"])
def test_parametrized_weights_are_refused_with_the_way_out(how):
    module = getattr(nn.utils.parametrizations, how)(nn.Linear(3, 2))
    fragments = ["no name of LSTM, GRU", "remove_parametrizations"]
    assert_refused(ValueError, fragments, interop.from_torch, module.state_dict())
    nn.utils.parametrize.remove_parametrizations(module, "weight")
    assert repr(interop.from_torch(module.state_dict())) == "Dense(3, 2)"


def test_a_module_of_ones_own_gets_a_draft_that_can_be_taken_as_it_stands():
    with pytest.raises(TypeError) as raised:
        interop.from_torch(Net(), return_sequences=False)
    draft = str(raised.value).partition("into=")[2].removesuffix(")")
    into = eval(draft, dict(vars(rnnlite)))
    kinds = [type(layer).__name__ for layer in into.layers]
    assert kinds == ["Embedding", "Bidirectional", "Bidirectional", "LayerNorm", "Dense"]
    assert interop.from_torch(Net(), into=into) is into
