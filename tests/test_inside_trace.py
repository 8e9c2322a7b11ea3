"""What ``trace`` records: every number and every derivative, and nothing changes by it."""

import numpy as np
import pytest
from conftest import CELLS, CLIP, assert_refused, assert_same_bits
from layer_cases import B, H, I, T, rng

import rnnlite
from rnnlite import Bidirectional, Dense, Dropout, Embedding, Sequential, functional, trace

RAGGED = [T, 2, 0]
every_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
every_lengths = pytest.mark.parametrize("lengths", [None, RAGGED], ids=["full", "ragged"])
every_direction = pytest.mark.parametrize("backwards", [False, True], ids=["there", "back"])
every_output = pytest.mark.parametrize("sequences", [False, True], ids=["last", "every"])


def stirred(layer, seed=0):
    for n, array in enumerate(layer.params.values()):
        array += 0.3 * rng(seed + n).normal(size=array.shape)
    return layer


def layer_of(cell, **options):
    return stirred(cell.make(I, H, seed=0, dtype="float64", **options))


def valid(lengths):
    return (
        np.arange(T) < np.full(B, T)[:, None]
        if lengths is None
        else (np.arange(T) < np.array(lengths)[:, None])
    )


def close(ours, wanted):
    np.testing.assert_allclose(ours, wanted, rtol=1e-10, atol=1e-12)


@every_cell
@every_lengths
def test_what_it_shows_is_what_functional_computes(cell, lengths):
    layer, x = layer_of(cell, return_sequences=True), rng().normal(size=(B, T, I))
    found = trace(layer, x, lengths=lengths)[""]
    arguments = {"activation": layer.activation} if cell.layer is rnnlite.RNN else {}
    forward = getattr(functional, f"{cell.function}_forward")
    _, _, cache = forward(x, **layer.params, lengths=lengths, **arguments)
    for name in cell.shown:
        close(getattr(found, name), getattr(cache, name))


@pytest.mark.quick(every=3)
@every_cell
@every_lengths
@every_direction
@every_output
def test_derivatives_add_up_to_the_gradients_of_the_layer(cell, lengths, backwards, sequences):
    """dW = sum of what it multiplied, times dz; dh is what the rest of the sequence hands back."""
    layer = layer_of(cell, return_sequences=sequences, go_backwards=backwards)
    x = rng().normal(size=(B, T, I))
    y = layer.forward(x, lengths=lengths)
    dy = rng(5).normal(size=y.shape)
    dx = layer.backward(dy)
    found = trace(layer, x, dy=dy, lengths=lengths)[""]
    close(found.dx, dx)
    close(found.y, y)
    gates = layer.cell.gates
    dz = [getattr(found, f"dz_{gate}") for gate in gates]
    close(layer.grads["b"], np.concatenate([d.sum((0, 1)) for d in dz]))
    from_x = [np.einsum("bti,bth->ih", found.x, d) for d in dz]
    close(layer.grads["Wx"], np.concatenate(from_x, axis=1))


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN", "peephole and clip", "GRU 2014"])
@every_lengths
@every_output
def test_the_derivative_by_a_state_is_that_of_the_rest_of_the_sequence(name, lengths, sequences):
    layer = {
        "LSTM": lambda **k: rnnlite.LSTM(I, H, seed=0, **k),
        "GRU": lambda **k: rnnlite.GRU(I, H, seed=0, **k),
        "RNN": lambda **k: rnnlite.RNN(I, H, "relu", seed=0, **k),
        "peephole and clip": lambda **k: rnnlite.LSTM(I, H, peephole=True, clip=CLIP, seed=0, **k),
        "GRU 2014": lambda **k: rnnlite.GRU(I, H, reset_after=False, seed=0, **k),
    }[name](return_sequences=sequences, dtype="float64")
    stirred(layer)
    x = rng().normal(size=(B, T, I))
    dy = rng(5).normal(size=layer(x).shape)
    found = trace(layer, x, dy=dy, lengths=lengths)[""]
    steps = np.full(B, T) if lengths is None else np.array(lengths)
    for row in range(B):
        for t in range(steps[row] - 1):
            rest, states = x[row : row + 1, t + 1 : steps[row]], []
            for state in layer.cell.states:
                states.append(getattr(found, state)[row : row + 1, t])
            layer.forward(rest, initial_state=tuple(states) if len(states) > 1 else states[0])
            layer.backward(
                dy[row : row + 1, t + 1 : steps[row]] if sequences else dy[row : row + 1]
            )
            came = layer.dinitial_state
            dh = (came[0] if isinstance(came, tuple) else came)[0]
            close(found.dh[row, t], dh + (dy[row, t] if sequences else 0))
            if len(layer.cell.states) > 1:  # the way through h_t, by central differences
                total = came[1][0] + found.dh[row, t] * slope(layer, found, row, t)
                np.testing.assert_allclose(found.dc[row, t], total, rtol=1e-8, atol=1e-9)


def slope(layer, found, row, t):
    """dh_t / dc_t of o tanh(c), o by its own number, by central differences."""
    c, d = found.c[row, t], 1e-6

    def h(c):
        limit = layer.clip or np.inf
        z_o = found.z_o[row, t]
        if layer.peephole:
            z_o = z_o + layer.params["p_o"] * (c - found.c[row, t])
        return np.tanh(np.clip(c, -limit, limit)) / (1 + np.exp(-np.clip(z_o, -limit, limit)))

    return (h(c + d) - h(c - d)) / (2 * d)


def test_the_derivative_by_c_goes_through_h_as_well():
    """A loss of h_t alone: without the way through h, dc would be zero at the last step."""
    layer = rnnlite.LSTM(I, H, seed=0, dtype="float64")
    found = trace(layer, rng().normal(size=(B, T, I)), dy=np.ones((B, H)))["0"]
    close(found.dc[:, -1], found.o[:, -1] * (1 - np.tanh(found.c[:, -1]) ** 2))


def model():
    return Sequential([
        Embedding(7, I, seed=0), Bidirectional(rnnlite.LSTM(I, H, seed=1, return_sequences=True)),
        Dropout(0.5, seed=2), rnnlite.GRU(2 * H, H, seed=3, recurrent_dropout=0.5),
        Dense(H, 2, seed=4),
    ])  # fmt: skip


def test_it_changes_nothing_in_the_model():
    traced, alone = model(), model()
    x, labels = rng().integers(0, 7, (B, T)), np.array([0, 1, 1])
    for one in (traced, alone):
        one.flat_grads[...] = 3.0
    trace(traced, x, labels=labels, lengths=RAGGED, training=True)
    for one in (traced, alone):
        y = one.forward(x, training=True)
        one.backward(np.cos(y))
    for name in ("flat_params", "flat_grads"):
        assert_same_bits(name, getattr(traced, name), getattr(alone, name))


def test_a_model_is_shown_layer_by_layer_with_its_loss():
    m, x, labels = model(), rng().integers(0, 7, (B, T)), np.array([0, 1, 1])
    found = trace(m, x, labels=labels, lengths=RAGGED)
    assert found.names == ["0", "1", "1.forward", "1.backward", "2", "3", "4"]
    np.testing.assert_allclose(found.output, m(x, lengths=RAGGED), rtol=1e-5, atol=1e-6)
    loss, dlogits = rnnlite.softmax_cross_entropy(found.output, labels)
    assert found.loss == pytest.approx(loss)
    np.testing.assert_allclose(found["4"].dy, dlogits, rtol=1e-6)
    np.testing.assert_array_equal(found["3"].x, found["2"].y)
    np.testing.assert_array_equal(found["1"].y[..., :H], found["1.forward"].y)
    np.testing.assert_array_equal(found["3"].dx, found["2"].dy)
    assert found["3"].x.dtype == np.float32
    assert not hasattr(found["0"], "dx")  # an index has no derivative
    padding = ~valid(RAGGED)
    for key in found:
        for name in found[key].names:
            array = getattr(found[key], name)
            if array.shape[:2] == (B, T):
                assert np.all(array[padding] == 0), (key, name)


def test_dropout_is_off_unless_asked_for():
    m, x = model(), rng().integers(0, 7, (B, T))
    calm, drawn = trace(m, x)["2"], trace(m, x, training=True)["2"]
    np.testing.assert_array_equal(calm.x, calm.y)
    assert 0.2 < np.mean(drawn.y == 0.0) < 0.8
    m.forward(x, training=True)  # the model's own next step draws the very same
    np.testing.assert_array_equal(trace(model(), x, training=True)["2"].y, drawn.y)


def test_initial_states_are_taken():
    layer, x = layer_of(CELLS[0]), rng().normal(size=(B, T, I))
    state = tuple(rng(n).normal(size=(B, H)) for n in range(2))
    close(trace(layer, x, initial_state=state).output, layer(x, initial_state=state))
    m = Sequential([layer_of(CELLS[0]), Dense(H, 2, dtype="float64")])
    close(trace(m, x, initial_state={"0": state})["0"].y, layer(x, initial_state=state))
    fragments = ["trace: initial_state is for ['1']; wanted a dict with keys of ['0']"]
    assert_refused(ValueError, fragments, trace, m, x, initial_state={"1": state})


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=pytest.mark.long), False])
def test_a_cell_of_ones_own_is_shown_by_its_own_names(compiled):
    from rnnlite.cells.functions import sigmoid, tanh, zero_like

    def step(z, state):
        m, s = sigmoid(z[0]), tanh(z[1])
        return (m * s, state[1] * 0.5 + s), (m, s)

    def step_backward(dstate, saved, state, new_state):
        (dh, da), (m, s) = dstate, saved
        ds = dh * m + da
        return (dh * s * m * (1.0 - m), ds * (1.0 - s * s)), (zero_like(dh), da * 0.5)

    cell = rnnlite.custom_cell(
        "mine", step, step_backward, gates=["m", "s"], saved=["m", "s"], states=["h", "a"],
        compiled=compiled,
    )  # fmt: skip
    layer = stirred(rnnlite.Recurrent(cell, I, H, seed=0, dtype="float64"))
    x, dy = rng().normal(size=(B, T, I)), rng(1).normal(size=(B, H))
    found = trace(layer, x, dy=dy, lengths=RAGGED)["0"]
    h = np.zeros((B, H))
    for t in range(T):
        z = found.x[:, t] @ layer.params["Wx"] + h @ layer.params["Wh"] + layer.params["b"]
        going = valid(RAGGED)[:, t]
        close(found.z_m[going, t], z[going, :H])
        close(found.s[going, t], np.tanh(z[going, H:]))
        h = np.where(going[:, None], found.m[:, t] * found.s[:, t], h)
    layer.forward(x, lengths=RAGGED)
    layer.backward(dy)
    close(layer.grads["b"], np.concatenate([d.sum((0, 1)) for d in (found.dz_m, found.dz_s)]))
    assert "but for its way through" in repr(found)


def test_a_cell_that_looks_at_whole_rows_is_recorded_too():
    from rnnlite.cells.functions import tanh, zero_like

    def step(z, state):
        h = tanh(z[0] - z[0].mean())
        return (h,), (h,)

    def step_backward(dstate, saved, state, new_state):
        d = dstate[0] * (1.0 - saved[0] * saved[0])
        return (d - d.mean(),), (zero_like(d),)

    cell = rnnlite.custom_cell(
        "centred", step, step_backward, gates=["h"], saved=["h"], whole_rows=True, compiled=False
    )
    layer = stirred(rnnlite.Recurrent(cell, I, H, seed=0, dtype="float64", return_sequences=True))
    x = rng().normal(size=(B, T, I))
    y = layer.forward(x, lengths=RAGGED)
    layer.backward(np.cos(y))
    found = trace(layer, x, dy=np.cos(y), lengths=RAGGED)["0"]
    close(found.h, y)
    close(layer.grads["b"], found.dz_h.sum((0, 1)))


def test_it_can_be_read_cut_and_saved(tmp_path):
    m = Sequential([rnnlite.RNN(I, H, seed=0), Dense(H, 2, seed=1)])
    found = trace(m, rng().normal(size=(B, T, I)), labels=[0, 1, 1])
    assert {"x", "h", "dh", "dz_h", "dx", "names"} <= set(dir(found["0"]))
    text = repr(found)
    for part in (
        f"loss {found.loss:.6g}",
        "['0']  RNN(5, 6)",
        "dh     (3, 4, 6)    derivative of the loss by h",
    ):
        assert part in text, text
    row = found.row(2)
    np.testing.assert_array_equal(row["0"].dh, found["0"].dh[2:])
    np.testing.assert_array_equal(row.output, found.output[2:])
    found.save(tmp_path / "trace.npz")
    with np.load(tmp_path / "trace.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["0.dh"], found["0"].dh)
        np.testing.assert_array_equal(arrays["output"], found.output)
        assert arrays["loss"] == found.loss
    with pytest.raises(KeyError, match=r"there is no layer '7'; there are '0', '1'"):
        found["7"]
    lone = trace(rnnlite.RNN(I, H, seed=0), rng().normal(size=(B, T, I)))
    assert lone["0"] is lone[""]  # the model is one layer
    with pytest.raises(KeyError, match=r"there is no layer '1'; there are ''"):
        lone["1"]
    inner = trace(
        Sequential([rnnlite.Flatten(), Dense(T * I, 2, seed=0)]), rng().normal(size=(B, T, I))
    )
    assert len(inner) == 2 and list(inner) == inner.names == ["0", "1"]
    assert_refused(ValueError, ["Trace.row: n is above 2"], found.row, 3)


def test_sequences_of_different_length_are_taken():
    layer = layer_of(CELLS[0])
    rows = [rng(n).normal(size=(n + 1, I)) for n in range(B)]
    x, lengths = rnnlite.pad(rows)
    close(trace(layer, rows)["0"].h, trace(layer, x, lengths=lengths)["0"].h)


def test_what_it_cannot_trace_is_refused():
    layer, x = layer_of(CELLS[0]), rng().normal(size=(B, T, I))
    for error, fragments, keywords in [
        (ValueError, ["dy was given, and labels"], {"dy": np.ones((B, H)), "labels": [0, 1, 0]}),
        (ValueError, ["loss is given without labels"], {"loss": "mean_squared_error"}),
        (ValueError, ["labels has shape (2,); wanted (3, ...)"], {"labels": [0, 1]}),
        (ValueError, ["lengths runs from 1 to 9"], {"lengths": [9, 1, 1]}),
        (ValueError, ["dy has shape (3, 4)"], {"dy": np.ones((B, 4))}),
        (TypeError, ["training is 1"], {"training": 1}),
    ]:
        assert_refused(error, fragments, trace, layer, x, **keywords)
    assert_refused(TypeError, ["trace: model is of type int"], trace, 3, x)
