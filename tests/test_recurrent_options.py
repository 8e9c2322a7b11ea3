"""The recurrent layers' options: both directions, peepholes, dropout of h, single steps, chunks."""

import numpy as np
import pytest
from conftest import CLIP, every_cell

import rnnlite
from rnnlite import functional, gradcheck
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.layers import GRU, LSTM, RNN, Bidirectional, Dense, Sequential

LAYERS = {
    "lstm": lambda **k: LSTM(3, 5, seed=0, **k),
    "peephole": lambda **k: LSTM(3, 5, seed=0, peephole=True, **k),
    "clipped": lambda **k: LSTM(3, 5, seed=0, clip=CLIP, **k),
    "peephole-clipped": lambda **k: LSTM(3, 5, seed=0, peephole=True, clip=CLIP, **k),
    "rnn": lambda **k: RNN(3, 5, seed=0, **k),
    "irnn": lambda **k: RNN(3, 5, activation="relu", wh_init="identity", seed=0, **k),
    "gru": lambda **k: GRU(3, 5, seed=0, **k),
    "gru-2014": lambda **k: GRU(3, 5, seed=0, reset_after=False, **k),
}
LENGTHS = [6, 3, 1, 4]
EVERY = {"peephole": True, "clip": CLIP, "seed": 0, "return_sequences": True}
# Kernels of their own, which those with both options exercise too.
ALONE = {"peephole", "clipped"}
every_layer = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.long] * (n in ALONE)) for n in LAYERS]
)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(4, 6, 3))


def stirred(layer):
    """The layer with every parameter away from its initial zero."""
    for number, array in enumerate(layer.params.values()):
        array += 0.3 * np.random.default_rng(number).normal(size=array.shape)
    return layer


@pytest.mark.quick(every=3)
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("options", [{}, {"return_sequences": True}, {"go_backwards": True},
                                     {"return_sequences": True, "go_backwards": True}])  # fmt: skip
@every_layer
def test_gradients_are_right_in_all_options(name, options, lengths, x):
    report = gradcheck.check(stirred(LAYERS[name](**options)), x, lengths=lengths, samples=20)
    assert report.passed, str(report)


@every_layer
def test_going_backwards_is_going_forwards_over_each_row_reversed(name, x):
    there = LAYERS[name](return_sequences=True, dtype="float64")
    back = LAYERS[name](return_sequences=True, go_backwards=True, dtype="float64")
    y = back.forward(x, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        mirrored = there.forward(x[row : row + 1, :length][:, ::-1])[0, ::-1]
        # Without the JIT products are BLAS's, whose rounding depends on the number of rows.
        tolerance = 1e-12 if JIT_DISABLED else 0.0
        np.testing.assert_allclose(y[row, :length], mirrored, rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(y[row, length:], 0.0)


def test_padding_never_reaches_a_layer_that_goes_backwards(x):
    layer = LSTM(3, 5, seed=0, go_backwards=True, return_sequences=True)
    clean = layer.forward(x, lengths=LENGTHS)
    dx = layer.backward(np.ones_like(clean))
    dirty = x.copy()
    for row, length in enumerate(LENGTHS):
        dirty[row, length:] = np.nan
    np.testing.assert_array_equal(layer.forward(dirty, lengths=LENGTHS), clean)
    np.testing.assert_array_equal(layer.backward(np.ones_like(clean)), dx)


@pytest.mark.quick(every=3)
@pytest.mark.parametrize("merge", ["concat", "sum"])
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_bidirectional_is_two_layers_and_its_gradients_are_right(merge, sequences, lengths, x):
    both = Bidirectional(
        LSTM(3, 5, seed=0, return_sequences=sequences, dtype="float64"), merge=merge, seed=1
    )
    parts = [layer.copy().forward(x, lengths=lengths) for layer in both.layers]
    wanted = sum(parts) if merge == "sum" else np.concatenate(parts, axis=-1)
    np.testing.assert_array_equal(both.forward(x, lengths=lengths), wanted)
    assert next(iter(both.params)) == "forward.Wx"
    assert [key.split(".")[0] for key in both.params].count("backward") == 3
    assert not np.array_equal(both.params["forward.Wx"], both.params["backward.Wx"])
    report = gradcheck.check(both, x, lengths=lengths)
    assert report.passed, str(report)


def test_a_seeded_layer_makes_a_reproducible_bidirectional_one():
    first, second, other = (
        Bidirectional(LSTM(3, 5, seed=seed, recurrent_dropout=0.5)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.flat_params, second.flat_params)
    assert not np.array_equal(first.params["backward.Wx"], other.params["backward.Wx"])
    assert not np.array_equal(first.params["backward.Wx"], first.params["forward.Wx"])
    given = Bidirectional(LSTM(3, 5, seed=0, recurrent_dropout=0.5), seed=1)
    assert not np.array_equal(first.params["backward.Wx"], given.params["backward.Wx"])
    ones = np.ones((2, 4, 3))
    outputs = [both.forward(ones, training=True) for both in (first, second)]
    np.testing.assert_array_equal(*outputs)  # the same masks too
    unseeded = (Bidirectional(LSTM(3, 5)).params["backward.Wx"] for _ in range(2))
    assert not np.array_equal(*unseeded)


def test_bidirectional_states_go_in_and_come_out_as_a_pair(x):
    both = Bidirectional(GRU(3, 5, seed=0, dtype="float64"), seed=1)
    start = tuple(np.full((4, 5), value) for value in (0.5, -0.5))
    both.forward(x, initial_state=start)
    both.backward(None, dfinal_state=(np.ones((4, 5)), None))
    there, back = both.dinitial_state
    assert np.abs(there).min() > 0
    np.testing.assert_array_equal(back, 0.0)
    assert len(both.final_state) == 2
    with pytest.raises(ValueError, match="initial_state must be a pair"):
        both.forward(x, initial_state=start[0])


def test_a_deep_bidirectional_stack_ignores_padding(x):
    model = Sequential([
        Bidirectional(LSTM(3, 4, return_sequences=True, seed=0), seed=1),
        Bidirectional(GRU(8, 4, seed=2), merge="sum", seed=3),
        Dense(4, 2, seed=4),
    ])  # fmt: skip
    dirty = x.copy()
    for row, length in enumerate(LENGTHS):
        dirty[row, length:] = np.nan
    logits = model.forward(dirty, lengths=LENGTHS)
    assert np.isfinite(logits).all()
    for row, length in enumerate(LENGTHS):
        alone = model.forward(x[row : row + 1, :length])
        np.testing.assert_allclose(logits[row : row + 1], alone, rtol=1e-6, atol=1e-7)
    report = gradcheck.check(model, x, labels=[0, 1, 0, 1], lengths=LENGTHS, samples=20)
    assert report.passed, str(report)
    assert "0.backward.Wh" in model.params


def test_bidirectional_refuses_what_it_cannot_mirror():
    with pytest.raises(TypeError, match="Bidirectional: layer is"):
        Bidirectional(Dense(3, 4))
    with pytest.raises(ValueError, match="goes backwards"):
        Bidirectional(LSTM(3, 4, go_backwards=True))
    layer = LSTM(3, 4)
    Sequential([layer])
    with pytest.raises(ValueError, match="in a model already"):
        Bidirectional(layer)
    with pytest.raises(ValueError, match="merge is 'mul'"):
        Bidirectional(LSTM(3, 4), merge="mul")


@pytest.mark.parametrize("batch", [1, 3])
@every_layer
def test_single_steps_are_the_whole_sequence(name, batch, x):
    layer = stirred(LAYERS[name](return_sequences=True, dtype="float64"))
    whole, state = layer.forward(x[:batch]), None
    for t in range(x.shape[1]):
        h, state = layer.step(x[:batch, t], state)
        np.testing.assert_allclose(h, whole[:, t], rtol=1e-12, atol=1e-12)
    final = layer.final_state if isinstance(state, tuple) else (layer.final_state,)
    for ours, wanted in zip(state if isinstance(state, tuple) else (state,), final, strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-12, atol=1e-12)


def test_a_step_leaves_the_training_in_progress_alone(x):
    layer = LSTM(3, 5, seed=0)
    y = layer.forward(x)
    layer.backward(y)
    wanted = layer.flat_grads.copy()
    layer.forward(x)
    layer.step(x[:, 0])
    layer.backward(y)
    np.testing.assert_array_equal(layer.flat_grads, wanted)


def test_a_step_sees_parameters_that_were_written_in_place(x):
    layer = GRU(3, 5, seed=0)
    before, _ = layer.step(x[:1, 0])
    layer.params["Wx"][...] *= 2
    after, _ = layer.step(x[:1, 0])
    assert not np.array_equal(before, after)


def test_a_step_of_a_wrong_shape_is_an_error(x):
    with pytest.raises(ValueError, match=r"LSTM.step: x_t has shape \(4, 2\); wanted \(batch, 3\)"):
        LSTM(3, 5).step(x[:, 0, :2])
    with pytest.raises(ValueError, match=r"state \(h\) has shape"):
        LSTM(3, 5).step(x[:, 0], (np.zeros((4, 6)), np.zeros((4, 5))))


@every_layer
def test_chunks_that_carry_state_and_gradient_equal_one_long_sequence(name, x):
    """Truncated BPTT with nothing truncated: dinitial_state of a chunk is dfinal_state before."""
    layer = stirred(LAYERS[name](return_sequences=True, dtype="float64"))
    dy = np.random.default_rng(1).normal(size=(4, 6, 5))
    y = layer.forward(x)
    dx = layer.backward(dy)
    grads = layer.flat_grads.copy()

    first = layer.forward(x[:, :4])
    middle = layer.final_state
    np.testing.assert_allclose(first, y[:, :4], rtol=1e-12)
    second = layer.forward(x[:, 4:], initial_state=middle)
    np.testing.assert_allclose(second, y[:, 4:], rtol=1e-12)
    dx_second = layer.backward(dy[:, 4:])
    total, carried = layer.flat_grads.copy(), layer.dinitial_state
    layer.forward(x[:, :4])
    dx_first = layer.backward(dy[:, :4], dfinal_state=carried)
    np.testing.assert_allclose(np.concatenate([dx_first, dx_second], axis=1), dx, rtol=1e-9)
    np.testing.assert_allclose(total + layer.flat_grads, grads, rtol=1e-9, atol=1e-12)


def test_an_encoder_learns_through_the_state_it_hands_to_a_decoder(x):
    """Sequence to sequence: the decoder's dinitial_state is the encoder's dfinal_state."""
    encoder, decoder = LSTM(3, 5, seed=0, dtype="float64"), LSTM(
        2, 5, seed=1, return_sequences=True, dtype="float64"
    )  # fmt: skip
    inputs = np.random.default_rng(2).normal(size=(4, 3, 2))

    def loss():
        encoder.forward(x, lengths=LENGTHS)
        return float(np.sum(np.sin(decoder.forward(inputs, initial_state=encoder.final_state))))

    loss()
    decoder.backward(np.cos(decoder.forward(inputs, initial_state=encoder.final_state)))
    encoder.backward(None, dfinal_state=decoder.dinitial_state)
    gradient, weights = encoder.grads["Wx"].copy(), encoder.params["Wx"]
    for place in ((0, 0), (1, 7), (2, 19)):
        weights[place] += 1e-6
        above = loss()
        weights[place] -= 2e-6
        below = loss()
        weights[place] += 1e-6
        assert (above - below) / 2e-6 == pytest.approx(gradient[place], rel=1e-6)


@every_layer
def test_recurrent_dropout_has_the_right_gradient_for_its_mask(name, x):
    layer = stirred(LAYERS[name](recurrent_dropout=0.5, dtype="float64", return_sequences=True))

    def output():
        layer.draw_masks_from(7)
        return layer.forward(x, training=True).copy()

    weights = np.random.default_rng(3).normal(size=output().shape)
    layer.backward(weights)
    for key, array in layer.params.items():
        gradient = layer.grads[key].copy()
        for place in np.random.default_rng(4).choice(array.size, min(6, array.size), False):
            index = np.unravel_index(place, array.shape)
            value = array[index]
            array[index] = value + 1e-6
            above = np.sum(output() * weights)
            array[index] = value - 1e-6
            below = np.sum(output() * weights)
            array[index] = value
            estimate = (above - below) / 2e-6
            assert gradient[index] == pytest.approx(estimate, rel=1e-5, abs=1e-7), (key, index)


def test_recurrent_dropout_acts_in_training_alone_and_differs_between_passes(x):
    layer, plain = RNN(3, 64, seed=0, recurrent_dropout=0.5), RNN(3, 64, seed=0)
    np.testing.assert_array_equal(layer.forward(x), plain.forward(x))
    first, second = (layer.forward(x, training=True).copy() for _ in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer.forward(x), plain.forward(x))


def test_recurrent_dropout_keeps_its_mask_through_time():
    """h = tanh(m h) with Wh the identity: a unit that is dropped is dropped at every step."""
    layer = RNN(1, 200, seed=0, recurrent_dropout=0.5, return_sequences=True, dtype="float64")
    layer.params["Wx"][...], layer.params["Wh"][...] = 0.0, np.eye(200)
    y = layer.forward(np.zeros((2, 3, 1)), initial_state=np.full((2, 200), 0.5), training=True)
    dropped = y[:, 0] == 0.0
    assert 0.3 < dropped.mean() < 0.7
    np.testing.assert_array_equal(y[:, 2] == 0.0, dropped)
    np.testing.assert_allclose(y[:, 0][~dropped], np.tanh(1.0))  # saved ones are doubled


def test_layers_are_the_functions(x):
    peephole = stirred(LSTM(3, 5, peephole=True, clip=CLIP, dtype="float64", return_sequences=True))
    p = peephole.params
    h, _, cache = functional.lstm_forward(
        x, p["Wx"], p["Wh"], p["b"],
        peephole=np.concatenate([p["p_i"], p["p_f"], p["p_o"]]), clip=CLIP,
    )  # fmt: skip
    np.testing.assert_array_equal(peephole.forward(x), h)
    peephole.backward(np.cos(h))
    g = functional.lstm_backward(np.cos(h), cache)
    ours = np.concatenate([peephole.grads[name] for name in ("p_i", "p_f", "p_o")])
    np.testing.assert_array_equal(ours, g.dpeephole)

    gru = stirred(GRU(3, 5, reset_after=False, dtype="float64", return_sequences=True))
    p = gru.params
    h, *_ = functional.gru_forward(x, p["Wx"], p["Wh"], p["b"], p["bh"], reset_after=False)
    np.testing.assert_array_equal(gru.forward(x), h)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recurrent_dropout": 1.0}, "recurrent_dropout is 1.0"),
        ({"go_backwards": 1}, "go_backwards is 1"),
        ({"wx_init": "magic"}, "wx_init|magic"),
        ({"peephole": 1}, "peephole is 1"),
        ({"clip": 0}, "clip is 0"),
        ({"clip": "big"}, "clip is 'big'"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        LSTM(3, 5, **options)


def test_threads_do_not_change_a_bit_of_the_options(x):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 12, 20))
    before, results = rnnlite.get_num_threads(), []
    try:
        for threads in (1, 3):
            rnnlite.set_num_threads(threads)
            model = Sequential([
                Bidirectional(LSTM(20, 40, **EVERY), seed=1),
                GRU(80, 30, reset_after=False, seed=2, recurrent_dropout=0.2),
            ]).copy("float64")  # fmt: skip
            y = model.forward(x, lengths=np.arange(40) % 12 + 1, training=True).copy()
            model.backward(np.cos(y))
            results.append((y, model.flat_grads.copy()))
    finally:
        rnnlite.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


# --- arguments ------------------------------------------------------------------------------


@every_cell
def test_an_argument_that_does_not_exist_is_refused_in_the_name_of_the_layer(cell):
    name = cell.layer.__name__
    with pytest.raises(TypeError, match=f"^{name}: there is no argument 'units'") as caught:
        cell.make(3, 4, units=5)
    assert "input_size, hidden_size" in str(caught.value) and "wh_init" in str(caught.value)
