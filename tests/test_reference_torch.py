"""The reference beside PyTorch: cells, cross-entropy, Adam."""

import numpy as np
import pytest
from conftest import every_cell
from reference_cells import backward, problem, run, upstream

from rnnlite import reference


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="the comparison with PyTorch needs PyTorch")


def torch_twin(torch, cell, arguments):
    """PyTorch's module with the same weights: its matrices are transposed, its biases are two."""
    I, H = len(arguments["Wx"]), len(arguments["Wh"])
    kind = {"lstm": torch.nn.LSTM, "rnn": torch.nn.RNN, "gru": torch.nn.GRU}[cell.function]
    activation = arguments.get("activation")
    options = {"nonlinearity": activation} if activation else {}
    module = kind(I, H, batch_first=True, dtype=torch.float64, **options)
    recurrent_bias = arguments.get("bh", np.zeros_like(arguments["b"]))
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.from_numpy(arguments["Wx"].T.copy()))
        module.weight_hh_l0.copy_(torch.from_numpy(arguments["Wh"].T.copy()))
        module.bias_ih_l0.copy_(torch.from_numpy(arguments["b"]))
        module.bias_hh_l0.copy_(torch.from_numpy(recurrent_bias))
    return module


@every_cell
@pytest.mark.parametrize("lengths", [None, (2, 5, 1, 4)], ids=["full", "packed"])
def test_everything_equals_pytorch(torch, cell, lengths):
    arguments = problem(cell, B=4, T=5, I=3, H=6, lengths=lengths, seed=9)
    h, states, cache = run(cell, arguments)
    dh, *dfinal = upstream(cell, B=4, T=5, H=6).values()
    gradients = backward(cell, dh, cache, *dfinal)

    module = torch_twin(torch, cell, arguments)
    x = torch.tensor(arguments["x"], requires_grad=True)
    initial = [torch.tensor(arguments[s], requires_grad=True) for s in cell.initial]
    packed = x
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
    first = tuple(s[None] for s in initial)
    output, final = module(packed, first if cell.function == "lstm" else first[0])
    if lengths is not None:
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True, total_length=5)
    final = final if cell.function == "lstm" else (final,)
    loss = (output * torch.from_numpy(dh)).sum()
    for state, gradient in zip(final, dfinal, strict=True):
        loss = loss + (state[0] * torch.from_numpy(gradient)).sum()
    loss.backward()

    theirs = {
        "h": output,
        **{f"{s} final": state[0] for s, state in zip(cell.initial, final, strict=True)},
        "dx": x.grad,
        "dWx": module.weight_ih_l0.grad.T,
        "dWh": module.weight_hh_l0.grad.T,
        "db": module.bias_ih_l0.grad,
        "dbh": module.bias_hh_l0.grad,
        **{f"d{name}": s.grad for name, s in zip(cell.initial, initial, strict=True)},
    }
    ours = {"h": h, **{f"{s} final": a for s, a in zip(cell.initial, states, strict=True)}}
    ours |= gradients._asdict()
    for name, array in ours.items():
        np.testing.assert_allclose(
            array, theirs[name].detach().numpy(), rtol=1e-10, atol=1e-12, err_msg=name
        )


def test_cross_entropy_equals_pytorch(torch):
    rng = np.random.default_rng(10)
    logits, labels = rng.normal(0, 5, size=(6, 4)), rng.integers(0, 4, size=6)
    loss, dlogits = reference.softmax_cross_entropy(logits, labels)
    theirs = torch.tensor(logits, requires_grad=True)
    their_loss = torch.nn.functional.cross_entropy(theirs, torch.from_numpy(labels))
    their_loss.backward()
    assert loss == pytest.approx(their_loss.item(), rel=1e-12)
    np.testing.assert_allclose(dlogits, theirs.grad.numpy(), rtol=1e-10, atol=1e-14)


def test_twenty_adam_steps_equal_pytorch(torch):
    rng = np.random.default_rng(11)
    p, m, v = rng.normal(size=(3, 2)), np.zeros((3, 2)), np.zeros((3, 2))
    theirs = torch.nn.Parameter(torch.from_numpy(p.copy()))
    options = {"lr": 0.05, "eps": 1e-3}  # an epsilon large enough to be seen
    optimizer = torch.optim.Adam([theirs], betas=(0.8, 0.95), **options)
    for t in range(1, 21):
        g = rng.normal(size=(3, 2))
        reference.adam_step(p, g, m, v, t, beta1=0.8, beta2=0.95, **options)
        theirs.grad = torch.from_numpy(g)
        optimizer.step()
        np.testing.assert_allclose(p, theirs.detach().numpy(), rtol=1e-12, err_msg=f"step {t}")
