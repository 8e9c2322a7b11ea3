"""Every row of PyTorch's tables in docs/coming_from.md, executed in both libraries."""

import inspect

import numpy as np
import pytest
from conftest import assert_close, assert_refused
from page_rows import Rows, code_in

import rnnlite
from rnnlite import GRU, LSTM, Dense, Dropout, Embedding, interop

torch = pytest.importorskip("torch", reason="these tests compare with PyTorch")
nn = torch.nn
pack, unpack = nn.utils.rnn.pack_padded_sequence, nn.utils.rnn.pad_packed_sequence

B, T, I, H = 2, 5, 3, 4
row = Rows("PyTorch")


@row.every_row()
def test_every_row_is_true(first, others):
    torch.manual_seed(0)
    row.run(first, others)


def test_no_check_is_left_over():
    assert not row.left_over()


def data(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


X = data(B, T, I)


def there(text):
    """What a line of PyTorch makes."""
    return eval(text, {"nn": nn})


def here(text):
    """What a line of rnnlite makes."""
    return eval(text, dict(vars(rnnlite)))


def numbers(tensor):
    return tensor.detach().numpy()


def pair(bidirectional=False):
    """An LSTM of PyTorch, and the same of rnnlite."""
    module = nn.LSTM(I, H, batch_first=True, bidirectional=bidirectional)
    return module, interop.from_torch(module)


# ---- what is called what -------------------------------------------------------------------------


@row("`nn.LSTM(3, 4, batch_first=True)`", "`nn.GRU(3, 4, batch_first=True)`",
     '`nn.RNN(3, 4, nonlinearity="relu")`', "`nn.Embedding(9, 3, padding_idx=0)`",
     "`nn.LayerNorm(4)`")  # fmt: skip
def one_layer(first, ours):
    model = interop.from_torch(there(*code_in(first)))
    layer = here(*code_in(ours))
    assert repr(model) == repr(layer) and type(model) is type(layer)
    assert getattr(model, "activation", None) == getattr(layer, "activation", None)
    assert getattr(model, "padding_idx", None) == getattr(layer, "padding_idx", None)


@row("`num_layers=2, dropout=0.3`")
def a_stack(first, ours):
    model = interop.from_torch(there(f"nn.LSTM(3, 4, {code_in(first)[0]})"))
    (text,) = code_in(ours)
    wanted = [type(part) if isinstance(part, Dropout) else part for part in here(
        text.removeprefix("Sequential(").removesuffix(")"))]  # fmt: skip
    assert [type(layer) for layer in model.layers] == wanted
    assert model.layers[1].rate == 0.3


@row("`bidirectional=True`")
def both_directions(first, ours):
    module = there(f"nn.LSTM(3, 4, {code_in(first)[0]})")
    model = interop.from_torch(module, return_sequences=False)
    assert repr(model) == repr(here(*code_in(ours)))


@row("`batch_first=False`: (time, batch, features)")
def time_first(first, ours):
    module = there(f"nn.LSTM(3, 4, {code_in(first)[0]})")
    x = X.transpose(1, 0, 2)  # as PyTorch has it
    y = interop.from_torch(module)(eval(code_in(ours)[0], {"x": x}))
    assert_close("y", y.transpose(1, 0, 2), numbers(module(torch.from_numpy(x))[0]), 1e-6)


@row("`bias=False`")
def no_bias(first, ours):
    model = interop.from_torch(there(f"nn.LSTM(3, 4, {code_in(first)[0]})"))
    assert not model.params["b"].any()
    model.forward(X)
    model.backward(np.ones((B, T, H), "f"))
    assert model.grads["b"].all()


@row("`proj_size`")
def projection(first, ours):
    assert_refused(ValueError, ["proj_size is 2"], interop.from_torch, nn.LSTM(3, 4, proj_size=2))


@row("`nn.Linear(3, 4)`, of any shape (..., 3)")
def linear(first, ours):
    module = there(*code_in(first))
    model = interop.from_torch(module)
    assert repr(model) == repr(here(*code_in(ours)))
    for x in (X, X[:, 0]):
        assert_close("y", model(x), numbers(module(torch.from_numpy(x))), 1e-6)
    module(torch.zeros(2, 3, 4, 3))
    assert_refused(ValueError, ["Dense"], model, np.zeros((2, 3, 4, 3), "f"))


@row("`nn.ReLU()`, ...")
def activation(first, ours):
    alone, inside = code_in(ours)
    assert repr(interop.from_torch(there(*code_in(first)))) == repr(here(alone))
    dense = here(inside)
    state = interop.to_torch(dense)
    module = nn.Sequential(nn.Linear(I, H), nn.ReLU())
    module[0].load_state_dict(state)
    assert_close("y", dense(X), numbers(module(torch.from_numpy(X))), 1e-6)


@row("`output, (h, c) = lstm(x, (h0, c0))`")
def a_call(first, ours):
    module, model = pair()
    h0, c0 = data(B, H, seed=1), data(B, H, seed=2)
    one = {"lstm": module, "x": torch.from_numpy(X)}
    one |= {"h0": torch.from_numpy(h0[None]), "c0": torch.from_numpy(c0[None])}
    two = {"lstm": model, "x": X, "h0": h0, "c0": c0}
    for cell, names in ((first, one), (ours, two)):
        exec(code_in(cell)[0], names)
    assert_close("output", two["output"], numbers(one["output"]), 1e-6)
    for name in ("h", "c"):
        assert_close(name, two[name], numbers(one[name])[0], 1e-6)


@row("h0, h (layers, batch, hidden)")
def shapes_of_states(first, ours):
    module, model = pair(bidirectional=True)
    _, (h, _) = module(torch.from_numpy(X))
    assert h.shape == (2, B, H)
    _, ((ahead, _), (back, _)) = model(X, return_state=True)
    for n, state in enumerate((ahead, back)):
        assert_close("h", state, numbers(h[n]), 1e-6)


@row("`pack_padded_sequence(x, lengths)`")
def packed(first, ours):
    module, model = pair()
    lengths = [2, 5]  # not sorted
    sequence = pack(torch.from_numpy(X), torch.tensor(lengths), True, enforce_sorted=False)
    expected = numbers(unpack(module(sequence)[0], batch_first=True)[0])
    y = eval(code_in(ours)[0], {"lstm": model, "x": X, "lengths": lengths})
    assert_close("y", y, expected, 1e-6)


@row("`pad_sequence`")
def padded(first, ours):
    rows = [data(steps, I) for steps in (4, 2)]
    theirs = nn.utils.rnn.pad_sequence([torch.from_numpy(r) for r in rows], batch_first=True)
    x, lengths = rnnlite.pad(rows)
    np.testing.assert_array_equal(x, numbers(theirs))
    assert code_in(ours) == ["rnnlite.pad"] and lengths.tolist() == [4, 2]


@row("`model.eval()`, `torch.no_grad()`", "`model.train()`, autograd")
def modes(first, ours):
    module = nn.Sequential(nn.Linear(I, H), nn.Dropout(0.5), nn.Linear(H, 2))
    model = interop.from_torch(module, seed=0)
    if "eval" in first:
        with torch.no_grad():
            expected = numbers(module.eval()(torch.from_numpy(X)))
        assert_close("y", eval(code_in(ours)[0], {"model": model, "x": X}), expected, 1e-6)
        return
    forward, backward = code_in(ours)
    y = eval(forward, {"model": model, "x": X})
    assert np.abs(y - model(X)).max() > 0.01  # with masks
    eval(backward, {"model": model, "dy": np.ones_like(y)})
    assert all(array.any() for array in model.grads.values())


@row("`optimizer.zero_grad()`")
def gradients_are_overwritten(first, ours):
    module, model = pair()
    for _ in range(2):
        module(torch.from_numpy(X))[0].sum().backward()
        model.backward(np.ones_like(model.forward(X)))
    twice = numbers(module.weight_ih_l0.grad).T
    assert_close("dWx", 2 * model.grads["Wx"], twice, 1e-5)


@row("`CrossEntropyLoss(ignore_index=-1)`")
def ignored_labels(first, ours):
    logits, y = data(6, 3), np.array([0, 2, -1, 1, -1, 0])
    criterion = eval(code_in(first)[0], dict(vars(nn)))
    names = dict(vars(rnnlite)) | {"logits": logits, "y": y}
    loss, _ = eval(code_in(ours)[0], names)
    expected = criterion(torch.from_numpy(logits), torch.from_numpy(y)).item()
    assert loss == pytest.approx(expected, rel=1e-6)


@row("`clip_grad_norm_(parameters, 1.0)`")
def clipping(first, ours):
    module, model = pair()
    module(torch.from_numpy(X))[0].sum().mul(50).backward()
    model.forward(X)
    model.backward(np.full((B, T, H), 50.0, "f"))
    module.bias_hh_l0.grad = None  # PyTorch's second bias has a share in the norm
    names = vars(nn.utils) | {"parameters": list(module.parameters())}
    eval(code_in(first)[0], names)
    eval(code_in(ours)[0], dict(vars(rnnlite)) | {"model": model})
    assert np.linalg.norm(model.flat_grads) == pytest.approx(1.0, rel=1e-5)
    assert_close("dWx", model.grads["Wx"], numbers(module.weight_ih_l0.grad).T, 1e-5)


@row("`state_dict()`, `load_state_dict`")
def state_dicts(first, ours):
    _, model = pair()
    other = nn.LSTM(I, H)
    other.load_state_dict(interop.to_torch(model), strict=True)
    again = interop.from_torch(other.state_dict())
    np.testing.assert_array_equal(again.flat_params, model.flat_params)


# ---- arrays --------------------------------------------------------------------------------------


@row("x to gates", "h to gates")
def matrices(first, theirs, ours):
    module, model = pair()
    array = numbers(getattr(module, code_in(theirs)[0]))
    columns = {"x to gates": I, "h to gates": H}[first]
    assert array.shape == (4 * H, columns)
    np.testing.assert_array_equal(model.params[code_in(ours)[0]], array.T)


@row("LSTM's gates", "GRU's gates")
def gates(first, theirs, ours):
    assert theirs == ours
    module = (nn.LSTM if "LSTM" in first else nn.GRU)(I, H)
    model, names = interop.from_torch(module), theirs.split(", ")
    trace = rnnlite.trace(model, X)
    (trace,) = (trace[name] for name in trace.names)
    sums = X[:, 0] @ numbers(module.weight_ih_l0).T + numbers(module.bias_ih_l0)
    h_sums = np.split(numbers(module.bias_hh_l0), len(names))  # h is zero at first
    for name, z, own in zip(names, np.split(sums, len(names), axis=1), h_sums, strict=True):
        if name == "n":
            value = np.tanh(z + trace.r[:, 0] * own)
        else:
            value = np.tanh(z + own) if name == "g" else 1 / (1 + np.exp(-z - own))
        assert_close(name, getattr(trace, name)[:, 0], value, 1e-5)


@row("biases of LSTM and RNN")
def one_bias(first, theirs, ours):
    for module in (nn.LSTM(I, H), nn.RNN(I, H)):
        names = {n: numbers(p) for n, p in module.named_parameters()}
        np.testing.assert_array_equal(
            interop.from_torch(module).params["b"], eval(theirs.replace("`", ""), names)
        )


@row("biases of the GRU")
def two_biases(first, theirs, ours):
    module = nn.GRU(I, H)
    model = interop.from_torch(module)
    for one, two in zip(code_in(theirs), code_in(ours), strict=True):
        np.testing.assert_array_equal(model.params[two], numbers(getattr(module, one)))
    model.params["bh"], model.params["b"] = model.params["b"].copy(), model.params["bh"].copy()
    assert np.abs(model(X) - interop.from_torch(module)(X)).max() > 1e-3


@row("`Linear`", "`LayerNorm`")
def others(first, theirs, ours):
    module = nn.Linear(I, 2) if "Linear" in first else nn.LayerNorm(I)
    model = interop.from_torch(module)
    for one, two in zip(code_in(theirs), code_in(ours), strict=True):
        np.testing.assert_array_equal(model.params[two], numbers(getattr(module, one)).T)


# ---- what differs --------------------------------------------------------------------------------


def within(array, bound):
    """Whether numbers look uniform in +-bound."""
    return 0.9 * bound < np.abs(array).max() <= bound


@row("initial weights of recurrent layers", "the forget gate's bias at first")
def initial_recurrent(first, theirs, ours):
    module, layer = nn.LSTM(20, 30), LSTM(20, 30, seed=0)
    assert all(within(numbers(p), 1 / np.sqrt(30)) for p in module.parameters())
    assert within(layer.params["Wx"], np.sqrt(6 / (20 + layer.params["Wx"].shape[1])))
    Wh = layer.params["Wh"]
    np.testing.assert_allclose(Wh @ Wh.T, np.eye(30), atol=1e-5)
    b = layer.params["b"].reshape(4, 30).copy()
    assert np.all(b[1] == 1.0) and "forget_bias" in inspect.signature(LSTM).parameters
    b[1] = 0.0
    assert not b.any() and not GRU(3, 4, seed=0).params["b"].any()


@row("initial weights of Linear")
def initial_linear(first, theirs, ours):
    module, layer = nn.Linear(400, 300), Dense(400, 300, seed=0)
    assert all(within(numbers(p), 1 / np.sqrt(400)) for p in module.parameters())
    assert within(layer.params["W"], np.sqrt(6 / 700)) and not layer.params["b"].any()


@row("initial table of an Embedding")
def initial_table(first, theirs, ours):
    assert numbers(nn.Embedding(400, 30).weight).std() == pytest.approx(1.0, rel=0.05)
    assert Embedding(400, 30, seed=0).params["W"].std() == pytest.approx(float(ours), rel=0.05)


@row("a recurrent layer returns")
def what_is_returned(first, theirs, ours):
    module, _ = pair()
    output, (h, c) = module(torch.from_numpy(X))
    assert output.shape == (B, T, H) and h.shape == c.shape == (1, B, H)
    assert LSTM(I, H)(X).shape == (B, H)
    assert LSTM(I, H, return_sequences=True)(X).shape == (B, T, H)


@row("a row of length 0")
def an_empty_row(first, theirs, ours):
    _, model = pair()
    with pytest.raises(RuntimeError, match="greater than 0"):
        pack(torch.from_numpy(X), torch.tensor([5, 0]), batch_first=True)
    initial = (data(B, H, seed=1), data(B, H, seed=2))
    y, state = model(X, initial_state=initial, lengths=[5, 0], return_state=True)
    assert not y[1].any()
    for got, wanted in zip(state, initial, strict=True):
        np.testing.assert_array_equal(got[1], wanted[1])


@row("Dropout between layers")
def masks(first, theirs, ours):
    x = np.ones((B, 200, I), "f")
    both = (
        numbers(nn.Dropout(0.5)(torch.from_numpy(x))),
        Dropout(0.5, seed=0).forward(x, training=True),
    )
    for y in both:
        assert (y[:, 1:] != y[:, :1]).any()
    y = Dropout(0.5, per_sequence=True, seed=0).forward(x, training=True)
    assert (y == y[:, :1]).all() and y.any() and not y.all()


@row("Adam, SGD")
def optimizers(first, theirs, ours):
    for name in ("Adam", "SGD"):
        mine = inspect.signature(getattr(rnnlite, name)).parameters
        other = inspect.signature(getattr(torch.optim, name)).parameters
        assert mine.keys() >= {"lr", "weight_decay"}
        for option in ("lr", "weight_decay", "eps", "momentum", "nesterov", "amsgrad"):
            if option in mine and (name, option) != ("SGD", "lr"):
                assert mine[option].default == other[option].default
    assert mine["lr"].default is inspect.Parameter.empty
    for name, options in (("Adam", {}), ("SGD", {"lr": 0.1, "momentum": 0.9})):
        module = nn.Linear(I, 2)
        model = interop.from_torch(module)
        steps = [getattr(torch.optim, name)(module.parameters(), **options)]
        steps.append(getattr(rnnlite, name)(model, **options))
        for _ in range(3):
            steps[0].zero_grad()
            module(torch.from_numpy(X)).pow(2).sum().backward()
            model.backward(2 * model.forward(X))
            for optimizer in steps:
                optimizer.step()
        assert_close("W", model.params["W"], numbers(module.weight).T, 1e-6)


@row("GRU")
def reset(first, theirs, ours):
    module = nn.GRU(I, H, batch_first=True)
    model, before = interop.from_torch(module), GRU(I, H, reset_after=False, return_sequences=True)
    before.flat_params = model.flat_params
    expected = numbers(module(torch.from_numpy(X))[0])
    assert_close("y", model(X), expected, 1e-6)
    assert np.abs(before(X) - expected).max() > 1e-3
