"""Every array of a trace is that of PyTorch's autograd over a network unrolled by hand."""

import numpy as np
import pytest

import rnnlite
from rnnlite import trace

torch = pytest.importorskip("torch", reason="these tests compare with PyTorch")
B, T, I, H = 3, 5, 2, 4


def lstm(x, h, c, p, seen):
    z = x @ p["Wx"] + h @ p["Wh"] + p["b"]
    z_i, z_f, z_g, z_o = (seen(f"z_{k}", v) for k, v in zip("ifgo", z.split(H, 1), strict=True))
    i, f, o = (seen(k, torch.sigmoid(v)) for k, v in zip("ifo", (z_i, z_f, z_o), strict=True))
    g = seen("g", torch.tanh(z_g))
    c = seen("c", f * c + i * g)
    return seen("h", o * torch.tanh(c)), c


def gru(x, h, c, p, seen):
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (
        (v @ p[w] + p[b]).split(H, 1) for v, w, b in ((x, "Wx", "b"), (h, "Wh", "bh"))
    )
    r, z = (
        seen(k, torch.sigmoid(seen(f"z_{k}", v))) for k, v in (("r", x_r + h_r), ("z", x_z + h_z))
    )
    n = seen("n", torch.tanh(seen("z_n", x_n + r * h_n)))
    return seen("h", (1 - z) * n + z * h), c


def rnn(x, h, c, p, seen):
    return seen("h", torch.tanh(seen("z_h", x @ p["Wx"] + h @ p["Wh"] + p["b"]))), c


CELLS = {"lstm": (rnnlite.LSTM, lstm), "gru": (rnnlite.GRU, gru), "rnn": (rnnlite.RNN, rnn)}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("lengths", [None, [5, 3, 1]])
def test_every_array_is_that_of_autograd(name, sequences, backwards, lengths):
    kind, step = CELLS[name]
    rng = np.random.default_rng(1)
    layer = kind(I, H, seed=0, dtype="float64", return_sequences=sequences, go_backwards=backwards)
    for array in layer.params.values():
        array += 0.3 * rng.normal(size=array.shape)
    x, initial = rng.normal(size=(B, T, I)), rng.normal(size=(2, B, H))
    dy = rng.normal(size=(B, T, H) if sequences else (B, H))
    state = tuple(initial) if name == "lstm" else initial[0]
    ours = trace(layer, x, dy=dy, lengths=lengths, initial_state=state)["0"]

    parameters = {key: torch.tensor(value) for key, value in layer.params.items()}
    inputs = torch.tensor(x, requires_grad=True)
    seen = {}  # (row, time, name): a tensor (1, H) that keeps its gradient
    loss = 0.0
    for row, length in enumerate(lengths or [T] * B):
        h, c = (torch.tensor(s[row : row + 1], requires_grad=True) for s in initial)
        for t in range(length)[:: -1 if backwards else 1]:

            def note(key, value, row=row, t=t):
                value.retain_grad()
                seen[row, t, key] = value
                return value

            h, c = step(inputs[row : row + 1, t], h, c, parameters, note)
            if sequences:
                loss = loss + (h * torch.tensor(dy[row, t])).sum()
        if not sequences:
            loss = loss + (h * torch.tensor(dy[row])).sum()
    loss.backward()
    for key in {key for _, _, key in seen}:
        values, slopes = np.zeros((B, T, H)), np.zeros((B, T, H))
        for (row, t, found), value in seen.items():
            if found == key:
                values[row, t] = value.detach()[0]
                slopes[row, t] = 0.0 if value.grad is None else value.grad[0]
        np.testing.assert_allclose(getattr(ours, key), values, atol=1e-10, err_msg=key)
        if key.startswith("z_") or key in ("h", "c"):
            wanted = getattr(ours, f"d{key}")
            np.testing.assert_allclose(wanted, slopes, atol=1e-10, err_msg=f"d{key}")
    np.testing.assert_allclose(ours.dx, inputs.grad.numpy(), atol=1e-10)
