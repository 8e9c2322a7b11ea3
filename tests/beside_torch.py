"""PyTorch's side of a comparison in float64: its modules with our weights, and all its numbers.

PyTorch's matrices are the transposes of these, (4H, I) instead of (I, 4H), in the same order of
gates.  It has two biases everywhere, ``bias_ih`` beside x and ``bias_hh`` beside h: the LSTM and
the RNN only ever see their sum, which is ``b`` here; in the GRU they differ, ``b`` and ``bh``.

Checked with PyTorch 2.13.
"""

import numpy as np
import pytest
from conftest import assert_close

torch = pytest.importorskip("torch", reason="these tests compare with PyTorch")

TOLERANCE = 1e-10


def ragged(B, T, seed=3):
    """Lengths from 1 to T in no order; the last row is full, the first short if it can be."""
    lengths = np.random.default_rng(seed).integers(1, T + 1, B)
    lengths[0], lengths[-1] = 1, T
    return lengths


def tensor(array):
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


def module_of(cell, I, H, **options):
    kind = {"lstm": torch.nn.LSTM, "rnn": torch.nn.RNN, "gru": torch.nn.GRU}[cell.function]
    if cell.options:
        options["nonlinearity"] = dict(cell.options)["activation"]
    return kind(I, H, batch_first=True, dtype=torch.float64, **options)


def set_weights(module, params, suffix="l0", seed=4):
    """Copy ``params`` (Wx, Wh, b and perhaps bh) into the module; one bias becomes two."""
    bias_hh = params.get("bh")
    bias_ih = params["b"]
    if bias_hh is None:
        bias_hh = np.random.default_rng(seed).normal(size=bias_ih.shape)
        bias_ih = bias_ih - bias_hh
    theirs = {
        "weight_ih": params["Wx"].T,
        "weight_hh": params["Wh"].T,
        "bias_ih": bias_ih,
        "bias_hh": bias_hh,
    }
    with torch.no_grad():
        for name, array in theirs.items():
            getattr(module, f"{name}_{suffix}").copy_(torch.from_numpy(array.copy()))


def run(module, x, initial, lengths):
    """Outputs (B, T, ...), padding zero, and the final states as a tuple."""
    if lengths is not None:
        x = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
    if initial is not None:
        initial = initial if len(initial) > 1 else initial[0]
    y, final = module(x, initial)
    if lengths is not None:
        y, _ = torch.nn.utils.rnn.pad_packed_sequence(
            y, batch_first=True, total_length=int(max(lengths))
        )
    return y, final if isinstance(final, tuple) else (final,)


def weight_gradients(cell, module, suffix="l0"):
    """Their gradients of the weights under our names, and the other bias as ``other db``."""
    found = {
        name: getattr(module, f"{theirs}_{suffix}").grad.numpy()
        for name, theirs in (
            ("dWx", "weight_ih"),
            ("dWh", "weight_hh"),
            ("db", "bias_ih"),
            ("dbh" if "bh" in cell.biases else "other db", "bias_hh"),
        )
    }
    return found | {name: found[name].T for name in ("dWx", "dWh")}


def everything_from_torch(cell, arguments, gradients, read=lambda y: y):
    """All results by the names of ``functional``; ``read`` makes the output that ``dh`` is for."""
    I, H = len(arguments["Wx"]), len(arguments["Wh"])
    module = module_of(cell, I, H)
    set_weights(module, arguments)
    x = tensor(arguments["x"])
    initial = None
    if arguments[cell.initial[0]] is not None:
        initial = [tensor(arguments[name]) for name in cell.initial]
    first = None if initial is None else tuple(state[None] for state in initial)
    y, final = run(module, x, first, arguments["lengths"])
    y = read(y)

    loss = torch.zeros((), dtype=torch.float64)
    if gradients.get("dh") is not None:
        loss = loss + (y * torch.from_numpy(gradients["dh"])).sum()
    for state, value in zip(cell.states, final, strict=True):
        if gradients.get(f"d{state}T") is not None:
            loss = loss + (value[0] * torch.from_numpy(gradients[f"d{state}T"])).sum()
    loss.backward()

    results = {"h": y} | {f"{s}T": v[0] for s, v in zip(cell.states, final, strict=True)}
    results |= {"dx": x.grad}
    if initial is not None:
        names = (f"d{name}" for name in cell.initial)
        results |= {name: s.grad for name, s in zip(names, initial, strict=True)}
    results = {name: value.detach().numpy() for name, value in results.items()}
    return results | weight_gradients(cell, module)


def assert_equal_torch(results, theirs):
    """Everything PyTorch has is among our results, and the same."""
    for name, expected in theirs.items():
        ours = results["db" if name == "other db" else name]
        assert ours.dtype == np.float64
        assert_close(name, ours, expected, TOLERANCE)
