"""Initial weights: their distributions, their structure, and their names."""

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits

import rnnlite
from rnnlite import initializers

ROWS, COLUMNS = 300, 500

# name: (limit of a uniform distribution or None, standard deviation), hidden = 400
SPREAD = {
    "glorot_uniform": (np.sqrt(6 / 800), np.sqrt(2 / 800)),
    "glorot_normal": (None, np.sqrt(2 / 800)),
    "he_uniform": (np.sqrt(6 / 300), np.sqrt(2 / 300)),
    "he_normal": (None, np.sqrt(2 / 300)),
    "normal": (None, 0.01),
    "uniform_pytorch": (0.05, 0.05 / np.sqrt(3)),
}
every_name = pytest.mark.parametrize("name", initializers.BY_NAME)


def draw(name, rows=ROWS, columns=COLUMNS, hidden=400, seed=0):
    """A weight, through the lookup by name."""
    return initializers.get("test", name)(np.random.default_rng(seed), rows, columns, hidden)


def quantiles_of(w):
    """Of the standardised numbers."""
    return np.quantile(w / w.std(), [0.05, 0.25, 0.5, 0.75, 0.95])


@pytest.mark.parametrize("name", SPREAD)
def test_random_weights_have_their_distribution(name):
    limit, std = SPREAD[name]
    w = draw(name)
    assert abs(w.mean()) < 5 * std / np.sqrt(w.size)
    assert abs(w.std() / std - 1) < 0.01
    if limit is None:
        expected = [-1.645, -0.674, 0.0, 0.674, 1.645]
        assert np.abs(w).max() > 3.5 * std
    else:
        expected = np.sqrt(3) * np.array([-0.9, -0.5, 0.0, 0.5, 0.9])
        assert 0.999 * limit < np.abs(w).max() <= limit
    assert np.abs(quantiles_of(w) - expected).max() < 0.02


@every_name
def test_every_name_gives_float64_of_the_shape_and_one_seed_one_weight(name):
    for rows, columns in ((4, 4), (4, 16), (1, 3)):
        w = draw(name, rows, columns, hidden=rows)
        assert w.shape == (rows, columns)
        assert w.dtype == np.float64
        assert w.flags.writeable
        assert_same_bits(name, draw(name, rows, columns, hidden=rows), w)
    random = name not in ("identity", "zeros")
    assert random == bool((draw(name, 4, 8, 4, seed=1) != draw(name, 4, 8, 4)).any())


@every_name
def test_the_function_and_its_name_give_the_same(name):
    function = getattr(initializers, name)
    arguments = (20, 60, 20) if name in ("uniform_pytorch", "identity") else (20, 60)
    assert_same_bits(
        name, function(np.random.default_rng(5), *arguments), draw(name, 20, 60, 20, 5)
    )


def test_the_first_two_draw_what_they_always_drew():
    """Models made from a seed stay what they were."""
    limit = np.sqrt(6 / 10)
    expected = np.random.default_rng(7).uniform(-limit, limit, (4, 6))
    assert_same_bits(
        "glorot_uniform", initializers.glorot_uniform(np.random.default_rng(7), 4, 6), expected
    )
    q, r = np.linalg.qr(np.random.default_rng(7).standard_normal((6, 4)))
    expected = (q * np.sign(np.diag(r))).T
    assert_same_bits(
        "orthogonal", initializers.orthogonal(np.random.default_rng(7), 4, 6), expected
    )


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (5, 20), (20, 5), (1, 4)])
def test_orthogonal_has_orthonormal_rows_or_columns(rows, columns):
    w = draw("orthogonal", rows, columns)
    gram = w @ w.T if rows <= columns else w.T @ w
    assert_close("gram", gram, np.eye(min(rows, columns)), 1e-12)


def test_identity_has_a_block_for_every_gate():
    for gates in (1, 3, 4):
        w = draw("identity", 6, 6 * gates, hidden=6)
        for gate in range(gates):
            assert_same_bits(f"gate {gate}", w[:, 6 * gate : 6 * gate + 6], np.eye(6))
    assert_same_bits("one block", draw("identity", 3, 3, hidden=None), np.eye(3))


@pytest.mark.parametrize(
    ("rows", "columns", "hidden", "wanted"),
    [(4, 10, 4, "blocks of 4"), (4, 2, 4, "blocks of 4"), (2, 8, 4, "blocks of 4"),
     (2, 4, None, "wanted a square"), (4, 2, None, "wanted a square")],
)  # fmt: skip
def test_identity_fills_square_blocks_alone(rows, columns, hidden, wanted):
    fragments = ["test: initializer: identity: ", f"({rows}, {columns})", wanted]
    assert_refused(ValueError, fragments, draw, "identity", rows, columns, hidden)


def test_zeros_are_zero():
    assert_same_bits("zeros", draw("zeros", 3, 5), np.zeros((3, 5)))


def test_the_width_of_the_normal_distribution_can_be_chosen():
    w = initializers.normal(np.random.default_rng(0), 100, 100, std=2.0)
    assert abs(w.std() / 2.0 - 1) < 0.03


def test_pytorch_draws_from_the_same_interval():
    torch = pytest.importorskip("torch", reason="compares with torch.nn.LSTM")
    theirs = torch.nn.LSTM(28, 400).weight_ih_l0.detach().numpy()
    ours = draw("uniform_pytorch", 28, 1600, hidden=400)
    assert abs(np.abs(theirs).max() - np.abs(ours).max()) < 1e-4
    assert abs(theirs.std() / ours.std() - 1) < 0.01


# ---- through the layers --------------------------------------------------------------------

# Layers whose weights are all square where they must be, so that each takes every name.
LAYERS = {
    "Dense": lambda name, **k: rnnlite.Dense(5, 5, w_init=name, **k),
    "Embedding": lambda name, **k: rnnlite.Embedding(5, 5, w_init=name, **k),
    "RNN": lambda name, **k: rnnlite.RNN(5, 5, wx_init=name, wh_init=name, **k),
    "LSTM": lambda name, **k: rnnlite.LSTM(5, 5, wx_init=name, wh_init=name, **k),
    "GRU": lambda name, **k: rnnlite.GRU(5, 5, wx_init=name, wh_init=name, **k),
    "Bidirectional": lambda name, seed, **k: rnnlite.Bidirectional(
        rnnlite.RNN(5, 5, wx_init=name, wh_init=name, seed=seed, **k), seed=seed
    ),
}
every_layer = pytest.mark.parametrize("layer", LAYERS)


@every_layer
@every_name
def test_a_layer_draws_the_same_weights_from_the_same_seed(layer, name):
    make = LAYERS[layer]
    first, again, other = make(name, seed=3), make(name, seed=3), make(name, seed=4)
    assert_same_bits(layer, again.flat_params, first.flat_params)
    random = name not in ("identity", "zeros")
    assert random == bool((other.flat_params != first.flat_params).any())
    wide = make(name, seed=3, dtype="float64")
    for key, w in first.params.items():
        assert_same_bits(key, w, wide.params[key].astype(np.float32))


@every_name
def test_weights_come_from_the_generator_of_the_seed_in_order(name):
    initialize = initializers.get("test", name)
    for layer, keys, gates, hidden in (
        ("Dense", ["W"], 1, None), ("Embedding", ["W"], 1, None), ("LSTM", ["Wx", "Wh"], 4, 5),
    ):  # fmt: skip
        made, rng = LAYERS[layer](name, seed=3, dtype="float64"), np.random.default_rng(3)
        for key in keys:
            expected = initialize(rng, 5, 5 * gates, hidden)
            assert_same_bits(f"{layer} {key}", made.params[key], expected)


def test_without_a_name_the_weights_are_what_they_always_were():
    expected = initializers.glorot_uniform(np.random.default_rng(3), 4, 6)
    made = rnnlite.Dense(4, 6, seed=3, dtype="float64")
    assert_same_bits("Dense", made.params["W"], expected)
    expected = initializers.normal(np.random.default_rng(3), 4, 6, 0.05)
    made = rnnlite.Embedding(4, 6, seed=3, dtype="float64")
    assert_same_bits("Embedding", made.params["W"], expected)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda name: rnnlite.Dense(2, 4, w_init=name), "Dense: w_init"),
        (lambda name: rnnlite.Embedding(2, 4, w_init=name), "Embedding: w_init"),
        (lambda name: rnnlite.LSTM(2, 4, wx_init=name), "LSTM: wx_init"),
        (lambda name: rnnlite.RNN(2, 4, wx_init=name), "RNN: wx_init"),
    ],
)
def test_a_layer_says_which_of_its_weights_cannot_be_filled(make, says):
    assert_refused(ValueError, [f"{says}: identity: the weight is (2, "], make, "identity")
    assert_refused(ValueError, [f"{says} is 'magic'; it can be 'glorot"], make, "magic")


def test_the_initializer_is_an_option_by_name_only():
    assert_refused(TypeError, ["positional"], rnnlite.Dense, 2, 4, 0, "float32", "zeros")
    assert_refused(TypeError, ["positional"], rnnlite.Embedding, 2, 4, 0, "float32", "zeros")


# ---- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["xavier", "", None, np.zeros(3), "get"])
def test_an_unknown_name_is_answered_with_all_names(bad):
    fragments = ["LSTM: wx_init is ", *map(repr, initializers.BY_NAME)]
    assert_refused(ValueError, fragments, initializers.get, "LSTM", bad, "wx_init")


def test_uniform_pytorch_without_hidden_is_that_of_a_linear_layer():
    w = draw("uniform_pytorch", 100, 50, hidden=None)
    assert 0.099 < np.abs(w).max() <= 0.1


def test_the_hidden_size_of_uniform_pytorch_is_checked():
    assert_refused(ValueError, ["uniform_pytorch: hidden is 0"], draw, "uniform_pytorch", hidden=0)
    assert_refused(
        TypeError, ["uniform_pytorch: hidden is 2.5"], draw, "uniform_pytorch", hidden=2.5
    )


def test_a_planted_mistake_is_refused(monkeypatch):
    """The spread of one distribution is not taken for that of another."""
    for right, wrong in (
        ("glorot_uniform", "he_uniform"),
        ("glorot_uniform", "glorot_normal"),
        ("he_normal", "he_uniform"),
        ("glorot_normal", "normal"),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(initializers.BY_NAME, right, initializers.BY_NAME[wrong])
            with pytest.raises(AssertionError):
                test_random_weights_have_their_distribution(right)
