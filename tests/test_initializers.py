"""Initial weights: their distributions, their structure, and their names."""

import numpy as np
import pytest
from conftest import assert_close, assert_refused, assert_same_bits

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
        w = draw(name, rows, columns)
        assert w.shape == (rows, columns)
        assert w.dtype == np.float64
        assert w.flags.writeable
        assert_same_bits(name, draw(name, rows, columns), w)
    random = name not in ("identity", "zeros")
    assert random == bool((draw(name, 4, 8, seed=1) != draw(name, 4, 8)).any())


@every_name
def test_the_function_and_its_name_give_the_same(name):
    function = getattr(initializers, name)
    arguments = (20, 60, 20) if name == "uniform_pytorch" else (20, 60)
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
        w = draw("identity", 6, 6 * gates)
        for gate in range(gates):
            assert_same_bits(f"gate {gate}", w[:, 6 * gate : 6 * gate + 6], np.eye(6))
    fragments = ["identity: ", "(4, 10)", "a multiple of 4"]
    assert_refused(ValueError, fragments, draw, "identity", 4, 10)
    assert_refused(ValueError, ["identity: ", "(4, 2)"], draw, "identity", 4, 2)


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


@pytest.mark.parametrize("bad", ["xavier", "", None, np.zeros(3), "get"])
def test_an_unknown_name_is_answered_with_all_names(bad):
    fragments = ["LSTM: initializer is ", *map(repr, initializers.BY_NAME)]
    assert_refused(ValueError, fragments, initializers.get, "LSTM", bad)


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
