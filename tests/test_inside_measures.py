"""What one reads off a trace, each number against a computation of its own."""

import numpy as np
import pytest
from conftest import assert_refused
from layer_cases import rng

import rnnlite
from rnnlite import GRU, LSTM, RNN, Bidirectional, Dense, Embedding, Sequential, inside, trace
from rnnlite.cells.functions import sigmoid, tanh, zero_like

B, T, I, H, C = 3, 7, 4, 5, 3
LENGTHS = np.array([7, 3, 5])


def inputs(seed=0):
    return rng(seed).normal(size=(B, T, I))


def softmax(scores):
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def model(layer=LSTM, sequences=False, **options):
    return Sequential([
        layer(I, H, return_sequences=sequences, seed=0, dtype="float64", **options),
        Dense(H, C, seed=1, dtype="float64"),
    ])  # fmt: skip


def close(ours, wanted):
    np.testing.assert_allclose(ours, wanted, rtol=1e-9, atol=1e-12)


# ---- gates -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("layer", "names"), [(LSTM, "i f g o h c"), (GRU, "r z n h"), (RNN, "h")])
def test_maps_show_gates_candidate_and_states_over_the_valid_steps(layer, names):
    found = trace(model(layer), inputs(), lengths=LENGTHS)
    maps = inside.gate_maps(found, row=1, order="unit")
    assert list(maps.maps) == names.split() and maps.units.tolist() == list(range(H))
    for name, array in maps.maps.items():
        close(array, getattr(found["0"], name)[1, :3].T)


def test_units_are_sorted_by_the_rule_that_is_stated():
    found = trace(model(), inputs())
    h, c = found["0"].h[2], found["0"].c[2]
    for order, by, key in [
        ("peak", None, lambda u: np.argmax([abs(v) for v in h[:, u]])),
        ("mean", "c", lambda u: -sum(c[:, u])),
    ]:
        maps = inside.gate_maps(found, ["f"], row=2, order=order, by=by)
        assert maps.units.tolist() == sorted(range(H), key=key)
        close(maps.maps["f"], found["0"].f[2].T[maps.units])


def test_saturation_counts_what_is_no_padding():
    weights = model()
    weights.params["0.Wx"] = 6 * weights.params["0.Wx"]
    found = trace(weights, inputs(), lengths=LENGTHS)
    shares = inside.gate_saturation(found, low=0.2, high=0.7)
    assert list(shares) == ["i", "f", "o"]  # the candidate is no gate
    for name, (shut, opened) in shares.items():
        steps = np.concatenate([getattr(found["0"], name)[b, :n] for b, n in enumerate(LENGTHS)])
        close(shut, [sum(v < 0.2 for v in unit) / 15 for unit in steps.T])
        close(opened, [sum(v > 0.7 for v in unit) / 15 for unit in steps.T])
        assert 0 < shut.sum() and 0 < opened.sum()


def test_a_gate_at_a_limit_is_neither_below_nor_above():
    half_open = LSTM(I, H, forget_bias=0.0, seed=0)
    half_open.flat_params = np.zeros_like(half_open.flat_params)
    shares = inside.gate_saturation(trace(half_open, inputs()), low=0.5, high=0.5)
    assert not np.any([shares[gate] for gate in "ifo"])


@pytest.mark.parametrize(
    ("layer", "gates"),
    [
        (GRU(I, H, seed=0), ["r", "z"]),
        (LSTM(I, H, clip=0.4, peephole=True, seed=0), ["i", "f", "o"]),
    ],
)
def test_gates_are_found_in_every_cell(layer, gates):
    assert list(inside.gate_saturation(trace(layer, inputs()))) == gates


def test_gates_of_a_cell_of_ones_own_are_found():
    def step(z, state):
        m, s = sigmoid(z[0]), tanh(z[1])
        return (m * s,), (m, s)

    def step_backward(dstate, saved, state, new_state):
        (dh,), (m, s) = dstate, saved
        return (dh * s * m * (1.0 - m), dh * m * (1.0 - s * s)), (zero_like(dh),)

    cell = rnnlite.custom_cell(
        "gated", step, step_backward, gates=["m", "s"], saved=["m", "s"], compiled=False
    )
    found = trace(rnnlite.Recurrent(cell, I, H, seed=0), inputs())
    assert list(inside.gate_saturation(found)) == ["m"]
    assert list(inside.gate_maps(found).maps) == ["m", "s", "h"]


# ---- gradients -------------------------------------------------------------------------------


def test_gradient_flow_is_that_of_a_chain_unrolled_by_hand():
    net, dy = model(RNN), rng(1).normal(size=(B, C))
    found = trace(net, inputs(), dy=dy, lengths=LENGTHS)
    flow = inside.gradient_flow(found)
    assert list(flow) == ["dh"] and flow["dh"].shape == (B, T)
    for row, steps in enumerate(LENGTHS):
        assert np.isnan(flow["dh"][row, steps:]).all()
        dh = dy[row] @ net.params["1.W"].T
        for t in reversed(range(steps)):
            assert flow["dh"][row, t] == pytest.approx(np.sqrt(sum(dh**2)))
            dh = (dh * (1 - found["0"].h[row, t] ** 2)) @ net.params["0.Wh"].T


def test_gradient_flow_of_an_lstm_has_both_of_its_states():
    found = trace(model(), inputs(), labels=[0, 1, 2])
    flow = inside.gradient_flow(found)
    assert list(flow) == ["dh", "dc"]
    assert flow["dc"][1, 2] == pytest.approx(np.sqrt(sum(found["0"].dc[1, 2] ** 2)))


@pytest.mark.parametrize("layer", [LSTM, GRU, RNN])
def test_an_itemised_gradient_adds_up_to_the_whole(layer):
    net, x, labels = model(layer, sequences=True), inputs(), rng(2).integers(0, C, (B, T))
    whole = trace(net, x[1:2], labels=labels[1:2])["0"]
    vectors = inside.itemised_gradient(net, x, labels, row=1, vectors=True)
    close(vectors.sum(axis=0), whole.dh[0])
    norms = inside.itemised_gradient(net, x, labels, row=1)
    close(norms, np.sqrt((vectors**2).sum(axis=2)))
    assert (norms[np.triu_indices(T, 1)] == 0).all() and (norms[np.tril_indices(T)] > 0).all()


def test_an_item_is_the_derivative_of_one_steps_loss():
    """Central differences: a push on h_2 of the first layer changes the loss of step 4."""
    net = Sequential([
        RNN(I, H, return_sequences=True, seed=0, dtype="float64"),
        Dense(H, C, seed=1, dtype="float64"),
    ])  # fmt: skip
    x, labels, t, s, d = inputs(), rng(2).integers(0, C, (B, T)), 4, 2, 1e-6
    vectors = inside.itemised_gradient(net, x, labels, lengths=LENGTHS, vectors=True)
    h = trace(net, x)["0"].h[:1, s]

    def loss_of_step_t(h):
        y = net.layers[1](net.layers[0](x[:1, s + 1 : t + 1], initial_state=h))
        return -np.log(softmax(y[0, -1])[labels[0, t]]) / T

    slope = [(loss_of_step_t(h + d * e) - loss_of_step_t(h - d * e)) / (2 * d) for e in np.eye(H)]
    np.testing.assert_allclose(vectors[t, s], slope, rtol=1e-6, atol=1e-10)


def test_an_itemised_gradient_ends_with_its_row():
    net, labels = model(sequences=True), np.zeros((B, T), int)
    for state in ("h", "c"):
        found = inside.itemised_gradient(net, inputs(), labels, row=1, lengths=LENGTHS, state=state)
        alone = inside.itemised_gradient(net, inputs()[1:2, :3], labels[1:2, :3], state=state)
        assert found.shape == (3, 3)
        close(found, alone)


# ---- saliency --------------------------------------------------------------------------------


@pytest.mark.parametrize("sequences", [False, True])
def test_saliency_is_the_slope_of_the_score_by_each_input(sequences):
    net, x, d = model(sequences=sequences), inputs(), 1e-6
    step = 4 if sequences else None
    found = inside.saliency(net, x, output=2, step=step)
    assert found.shape == (B, T, I)
    score = (lambda y: y[:, 4, 2]) if sequences else (lambda y: y[:, 2])
    for t, i in [(0, 1), (3, 0), (6, 3)]:
        push = np.zeros_like(x)
        push[:, t, i] = d
        slope = (score(net(x + push)) - score(net(x - push))) / (2 * d)
        np.testing.assert_allclose(found[:, t, i], slope, rtol=1e-6, atol=1e-9)


def test_saliency_takes_the_answer_after_the_last_valid_step_unless_told():
    net, x = model(sequences=True), inputs()
    found = inside.saliency(net, x, lengths=LENGTHS)
    for row, steps in enumerate(LENGTHS):
        best = net(x)[row, steps - 1].argmax()
        alone = inside.saliency(net, x[row : row + 1, :steps], output=best)
        close(found[row, :steps], alone[0])
        assert (found[row, steps:] == 0).all()


def test_saliency_of_symbols_is_that_of_their_vectors():
    embedded = Sequential([
        Embedding(6, I, seed=2, dtype="float64"), LSTM(I, H, seed=0, dtype="float64")
    ])  # fmt: skip
    x = rng(1).integers(0, 6, (B, T))
    alone = inside.saliency(embedded.layers[1], embedded.layers[0](x), output=[0, 4, 1])
    close(inside.saliency(embedded, x, output=[0, 4, 1]), alone)


# ---- text ------------------------------------------------------------------------------------


def test_text_has_its_units_and_the_likeliest_next_characters():
    symbols = "abcd"
    net = Sequential([
        Embedding(4, I, seed=0), LSTM(I, H, return_sequences=True, seed=1), Dense(H, 4, seed=2)
    ])  # fmt: skip
    x = rng(3).integers(0, 4, (B, T))
    found = trace(net, x, lengths=LENGTHS)
    text = inside.text_units(found, rnnlite.datasets.Vocabulary(symbols), "c", row=2, count=2)
    assert "".join(text.characters) == "".join(symbols[n] for n in x[2, :5])
    close(text.values, found["1"].c[2, :5])
    shares = softmax(net(x)[2])
    for t in range(5):
        ranked = sorted(range(4), key=lambda n: -shares[t, n])[:2]
        assert text.likeliest[t] == [symbols[n] for n in ranked]
        np.testing.assert_allclose(text.probabilities[t], shares[t, ranked], rtol=1e-5)


def test_one_hot_vectors_are_read_and_a_single_answer_has_no_next_character():
    net, numbers = model(), rng(1).integers(0, I, (B, T))
    text = inside.text_units(trace(net, np.eye(I)[numbers]), ["w", "x", "y", "z"], row=1)
    assert text.characters == [["w", "x", "y", "z"][n] for n in numbers[1]]
    assert text.probabilities.shape == (T, 0)


# ---- the answer while reading ------------------------------------------------------------------


@pytest.mark.parametrize("layer", [LSTM, GRU, RNN])
def test_the_answer_while_reading_is_the_readout_of_each_state(layer):
    net, x = model(layer), inputs()
    found = inside.answers(net, x, lengths=LENGTHS)
    h = trace(net, x, lengths=LENGTHS)["0"].h
    wanted = softmax(h @ net.params["1.W"] + net.params["1.b"])
    wanted[np.arange(T) >= LENGTHS[:, None]] = 0
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_a_model_that_reads_both_ways_is_asked_as_if_the_sequence_ended():
    net = Sequential([
        Bidirectional(LSTM(I, H, seed=0, dtype="float64")), Dense(2 * H, C, dtype="float64", seed=1)
    ])  # fmt: skip
    x = inputs()
    close(inside.answers(net, x)[:, 2], softmax(net(x[:, :3])))


def test_answers_at_every_step_are_taken_as_they_are():
    net, x = model(sequences=True), inputs()
    close(inside.answers(net, x), softmax(net(x)))
    one = Sequential([LSTM(I, 1, return_sequences=True, seed=0, dtype="float64")])
    close(inside.answers(one, x), 1 / (1 + np.exp(-one(x))))


# ---- counting --------------------------------------------------------------------------------


def counter():
    """An LSTM whose unit 1 adds what it reads, unit 0 its sign, unit 2 nothing."""
    layer = LSTM(1, 3, seed=0, dtype="float64")
    for array in layer.params.values():
        array[...] = 0.0
    i, f, g = (slice(3 * k, 3 * k + 3) for k in range(3))
    layer.params["b"][i] = 40.0
    layer.params["b"][f] = [-40.0, 40.0, 0.0]
    layer.params["Wx"][0, g] = [9.0, 0.001, 0.0]
    return layer


def test_a_count_that_never_changes_is_refused():
    found = trace(counter(), np.ones((1, 3, 1)), lengths=[2])
    fragments = ["counting: count is 2 at every valid step; wanted one that changes"]
    assert_refused(ValueError, fragments, inside.counting, found, [[2, 2, 7]])


def test_the_unit_that_counts_is_found():
    x = np.array([[1, 1, 1, -1, -1], [1, -1, 1, 1, 5]], float)[..., None]
    count = np.cumsum(x[..., 0], axis=1)
    found = inside.counting(trace(counter(), x, lengths=[5, 4]), count)
    assert found.unit == 1 and found.correlation[1] == pytest.approx(1, abs=1e-6)
    assert found.correlation[2] == 0.0  # it never moves
    steps = np.concatenate([found.values[0], found.values[1, :4]])
    counts = np.concatenate([count[0], count[1, :4]])
    for unit in (0, 1):
        assert found.correlation[unit] == pytest.approx(np.corrcoef(steps[:, unit], counts)[0, 1])
    close(found.values[0, :, 1], np.tanh(0.001) * count[0])


# ---- the plane -------------------------------------------------------------------------------


def test_the_plane_is_that_of_the_largest_eigenvalues_of_the_covariance():
    found = trace(model(), inputs(), lengths=LENGTHS)
    plane = inside.states_in_plane(found)
    h = np.concatenate([found["0"].h[b, :n] for b, n in enumerate(LENGTHS)])
    sizes, vectors = np.linalg.eigh(np.cov(h.T))
    close(plane.share, sizes[::-1][:2] / sizes.sum())
    close(plane.mean, h.mean(axis=0))
    for k in range(2):
        wanted = vectors[:, -1 - k]
        close(plane.directions[k], wanted * np.sign(wanted[np.abs(wanted).argmax()]))
    close(plane.points[1, :3], (h[7:10] - h.mean(axis=0)) @ plane.directions.T)
    assert np.isnan(plane.points[1, 3:]).all() and not np.isnan(plane.points[0]).any()


# ---- which layer, which row ------------------------------------------------------------------


def test_a_layer_is_chosen_by_its_key():
    net = Sequential([
        Bidirectional(GRU(I, H, return_sequences=True, seed=0)), RNN(2 * H, 2, seed=1)
    ])  # fmt: skip
    found = trace(net, inputs())
    assert list(inside.gate_maps(found).maps) == ["r", "z", "n", "h"]  # the first recurrent one
    close(
        inside.gate_maps(found, layer="0.backward", order="unit").maps["z"],
        found["0.backward"].z[0].T,
    )
    assert inside.gate_maps(found, layer="1").maps["h"].shape == (2, T)
    lone = trace(RNN(I, H, seed=0), inputs())
    assert inside.gate_maps(lone, layer="0").maps["h"].shape == (H, T)


def test_what_makes_no_sense_is_refused():
    net, x = model(), inputs()
    found, labels = trace(net, x), np.zeros((B, T), int)
    every_step, four = model(sequences=True), trace(net, np.eye(I)[None])
    no_gates, one_unit = trace(model(RNN), x), trace(RNN(I, 1), x)
    keys, names = "layer is '1'; recurrent layers are ['0']", "name is 'q'; it can be 'z_i'"
    for said, function, arguments, options in [
        ("gate_maps: trace is of type int", inside.gate_maps, (3,), {}),
        (keys, inside.gate_maps, (found,), {"layer": "1"}),
        (names, inside.gate_maps, (found, ["q"]), {}),
        ("row is above 2", inside.gate_maps, (found,), {"row": 3}),
        ("order is 'size'", inside.gate_maps, (found,), {"order": "size"}),
        ("no recurrent layer", inside.gate_maps, (trace(Dense(I, 2), x),), {}),
        ("has no gate", inside.gate_saturation, (no_gates,), {}),
        ("no derivative by h; wanted", inside.gradient_flow, (found,), {}),
        ("wanted an answer at every step", inside.itemised_gradient, (net, x, labels), {}),
        ("state is 'q'", inside.itemised_gradient, (every_step, x, labels), {"state": "q"}),
        ("step is given", inside.saliency, (net, x), {"step": 3}),
        ("output is 3; wanted 0 to 2", inside.saliency, (net, x), {"output": 3}),
        ("a whole number, or 3 of them", inside.saliency, (net, x), {"output": [0, 1]}),
        ("model is of type str", inside.saliency, ("net", x), {}),
        ("symbols has 2 of them; x has symbol 3", inside.text_units, (four, "ab"), {}),
        ("count has shape (3, 2); wanted (3, 7)", inside.counting, (found, np.ones((3, 2))), {}),
        ("1 unit; wanted two", inside.states_in_plane, (one_unit,), {}),
        ("x has shape (3,)", inside.answers, (net, np.ones(3)), {}),
    ]:
        assert_refused((TypeError, ValueError), [said], function, *arguments, **options)
