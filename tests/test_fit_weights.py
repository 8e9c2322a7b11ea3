"""class_weight, sample_weight and validation_split of fit, and weights of the losses."""

from functools import partial

import numpy as np
import pytest
from conftest import assert_close, assert_refused

import rnnlite
from rnnlite import RNN, Dense, Embedding, Sequential, fit
from rnnlite import binary_cross_entropy as bce
from rnnlite import mean_squared_error as mse
from rnnlite import softmax_cross_entropy as sce

N, T, F, C = 24, 4, 3, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, T, F)).astype(np.float32)
Y, EVERY = RNG.integers(0, C, N), RNG.integers(0, C, (N, T))
SOFT = RNG.dirichlet(np.ones(C), N)
LENGTHS = RNG.integers(1, T + 1, N)
CLASS = np.array([1.0, 5.0, 0.5])
ROW, STEP = RNG.uniform(0.1, 3.0, N), RNG.uniform(0.1, 3.0, (N, T))


def network(outputs=C, every=False):
    return Sequential([RNN(F, 4, return_sequences=every, seed=0), Dense(4, outputs, seed=1)])


def trained(model, x=X, y=Y, **options):
    history = fit(model, x, y, epochs=2, batch_size=7, **options)
    return model.flat_params, {k: v for k, v in history.items() if k != "seconds"}


# The losses.


@pytest.mark.parametrize("shape", [(6,), (6, 4)], ids=["rows", "steps"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize(
    "dtype", [pytest.param(np.float32, marks=pytest.mark.long), np.float64], ids=["f32", "f64"]
)
def test_a_weight_is_how_often_a_row_counts(dtype, shape, smoothing):
    rng = np.random.default_rng(1)
    times = rng.integers(0, 3, shape)
    logits = rng.normal(size=(*shape, C)).astype(dtype)
    shares, numbers = rng.dirichlet(np.ones(C), shape), rng.random((*shape, C))
    smooth = {"label_smoothing": smoothing}
    cases = [
        (partial(sce, **smooth), rng.integers(0, C, shape)),
        (partial(sce, **smooth, class_weights=CLASS), rng.integers(0, C, shape)),
        (partial(sce, **smooth, class_weights=CLASS), shares),
        (mse, numbers), (bce, numbers),
    ]  # fmt: skip
    for loss, y in cases:
        often = np.repeat(np.arange(times.size), times.ravel())
        flat = y.reshape(times.size, *y.shape[len(shape) :])
        wanted, dwanted = loss(logits.reshape(-1, C)[often], flat[often])
        summed = np.zeros((times.size, C), dtype)
        np.add.at(summed, often, dwanted)
        y = y.copy()
        y[times == 0] = 0 if y.dtype.kind == "i" else np.nan
        value, d, weights = loss(logits, y, weights=times, return_weights=True)
        assert value == pytest.approx(wanted, rel=1e-5)
        assert_close("dlogits", d, summed.reshape(logits.shape), 1e-5)
        assert (weights == 0).tolist() == (times == 0).tolist()


@pytest.mark.parametrize("loss", [sce, mse, bce])
def test_weights_go_with_a_mask_and_with_lengths(loss):
    logits, numbers = RNG.normal(size=(N, T, C)), RNG.dirichlet(np.ones(C), (N, T))
    counts = np.arange(T) < LENGTHS[:, None]
    dirty = np.where(counts, STEP, np.nan)
    wanted = loss(logits, numbers, weights=np.where(counts, STEP, 0))
    for options in {"lengths": LENGTHS}, {"mask": counts}:
        value, d = loss(logits, numbers, weights=dirty, **options)
        assert value == wanted[0] and np.array_equal(d, wanted[1])
        rows = loss(logits, numbers, weights=ROW, **options)
        both = loss(logits, numbers, weights=np.where(counts, ROW[:, None], 0))
        assert rows[0] == both[0] and np.array_equal(rows[1], both[1])
    nothing, d = loss(logits, numbers, weights=np.zeros(N))
    assert nothing == 0 and not d.any()


def test_weights_of_losses_are_checked():
    for weights, error, says in [
        (np.ones(3), ValueError, "weights has shape (3,); wanted (2,)"),
        ([1, -1], ValueError, "weights runs from -1 to 1; each must be finite and not negative"),
        ([1, np.nan], ValueError, "weights runs from nan to nan"),
        (["a", "b"], TypeError, "weights holds <U1"),
    ]:
        for loss in sce, mse, bce:
            assert_refused(error, [says], loss, np.zeros((2, 3)), np.eye(3)[:2], weights=weights)


# fit.


@pytest.mark.parametrize("given", [CLASS, CLASS.tolist(), {1: 5.0, np.int64(2): 0.5}], ids=type)
@pytest.mark.parametrize(
    ("y", "options"),
    [
        (Y, {}), (np.eye(C)[Y], {}), (EVERY, {}), (EVERY, {"lengths": LENGTHS}),
        (np.eye(C, dtype=int)[EVERY], {"lengths": LENGTHS}),
    ],
    ids=["rows", "one-hot", "steps", "lengths", "one-hot steps"],
)  # fmt: skip
def test_class_weights_are_those_of_the_loss(given, y, options):
    every = y.shape[:2] == (N, T)
    if options:
        y = y.copy()
        y[np.arange(T) >= LENGTHS[:, None]] = -100
    ours, history = trained(network(every=every), y=y, class_weight=given, **options)
    loss = partial(sce, class_weights=CLASS)
    theirs, wanted = trained(network(every=every), y=y, loss=loss, **options)
    assert_close("weights", ours, theirs, 1e-5)
    assert history["accuracy"] == wanted["accuracy"]
    np.testing.assert_allclose(history["loss"], wanted["loss"], rtol=1e-5)


def test_a_soft_label_has_the_mean_weight_of_its_classes():
    ours, _ = trained(network(), y=SOFT, class_weight=CLASS)
    theirs, _ = trained(network(), y=SOFT, sample_weight=SOFT @ CLASS)
    assert np.array_equal(ours, theirs)
    unweighted, _ = trained(network(), y=SOFT)
    assert not np.array_equal(ours, unweighted)


@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_a_single_output_has_classes_0_and_1(shape):
    y = (Y > 0).astype(int).reshape(shape)
    ours, history = trained(network(1), y=y, class_weight={1: 3.0})
    theirs, _ = trained(network(1), y=y, sample_weight=np.where(Y > 0, 3.0, 1.0))
    assert np.array_equal(ours, theirs) and "accuracy" in history


def test_weights_multiply():
    ours, _ = trained(network(), class_weight=CLASS, sample_weight=ROW)
    theirs, _ = trained(network(), sample_weight=ROW * CLASS[Y])
    assert np.array_equal(ours, theirs)
    ours, _ = trained(network(every=True), y=EVERY, class_weight=CLASS, sample_weight=ROW)
    theirs, _ = trained(network(every=True), y=EVERY, sample_weight=ROW[:, None] * CLASS[EVERY])
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "mean_squared_error"])
@pytest.mark.parametrize("weight", [ROW, STEP, np.ones(N), (Y > 0).astype(int)])
def test_the_recorded_loss_is_the_weighted_mean_over_all_rows(loss, weight):
    """At a step size of 0, whatever the batches are."""
    every = weight.ndim == 2
    model, y = network(every=every), np.eye(C)[EVERY if every else Y]
    options = {"optimizer": rnnlite.SGD(model, lr=0.0), "loss": loss, "sample_weight": weight}
    history = fit(model, X, y, batch_size=7, **options)
    wanted, _ = getattr(rnnlite, loss)(model(X), y, weights=weight)
    assert history["loss"] == [pytest.approx(wanted, rel=1e-5)]
    if loss == "softmax_cross_entropy":
        right = model(X).argmax(-1) == y.argmax(-1)
        assert history["accuracy"] == [pytest.approx(right[weight > 0].mean())]


def test_rows_of_no_weight_are_as_if_they_were_not_there():
    weight, x, y = (Y > 0).astype(float), X.copy(), Y.copy()
    few = {"shuffle": False, "epochs": 1}
    ours, theirs = network(), network()
    fit(ours, x, y, sample_weight=weight, batch_size=N, **few)
    fit(theirs, x[weight > 0], y[weight > 0], batch_size=N, **few)
    assert_close("weights", ours.flat_params, theirs.flat_params, 1e-5)


def test_a_loss_of_ones_own_is_given_the_weights():
    seen = []

    def own(output, y, *, weights=None):
        seen.append(weights)
        return sce(output, y, weights=weights)

    ours, _ = trained(network(), loss=own, class_weight=CLASS)
    theirs, _ = trained(network(), class_weight=CLASS)
    assert np.array_equal(ours, theirs) and seen[0].shape == (7,)


def test_a_resumed_run_has_the_same_weights(tmp_path):
    def run(model, epochs, **options):
        keep = {"checkpoint": tmp_path / "run.npz", "resume": True, "validation_split": 0.25}
        weights = {"class_weight": {1: 5, 2: 0.5}, "sample_weight": ROW} | options
        return fit(model, X, Y, epochs=epochs, batch_size=7, **keep | weights)

    model, whole = network(), network()
    run(network(), 1)
    run(model, 3, class_weight={np.int64(2): 0.5, 1: 5.0})
    fit(
        whole, X, Y, epochs=3, batch_size=7, class_weight=CLASS, sample_weight=ROW,
        validation_split=0.25,
    )  # fmt: skip
    assert np.array_equal(model.flat_params, whole.flat_params)
    for options, says in [
        ({"class_weight": None}, "class_weight = {1: 5.0, 2: 0.5}; this one has None"),
        ({"sample_weight": None}, "is of a run with data = "),
        ({"validation_split": 0.3}, "rows = 18; this one has 16"),
        ({"validation_split": 0.249}, "validation_split = 0.25; this one has 0.249"),
    ]:
        assert_refused(ValueError, [says], run, network(), 3, **options)


# The split.


@pytest.mark.parametrize("kind", ["arrays", "lists", "lengths"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_last_rows_are_set_aside(kind, shuffle):
    x = [row[:length] for row, length in zip(X, LENGTHS, strict=True)] if kind == "lists" else X
    first, last = slice(0, 19), slice(19, N)
    lengths = {"lengths": LENGTHS} if kind == "lengths" else {}
    options = {"shuffle": shuffle, "early_stopping": 2}
    ours, history = trained(
        network(), x, Y, validation_split=0.2, sample_weight=ROW, **lengths, **options
    )
    lengths = {"lengths": LENGTHS[first]} if kind == "lengths" else {}
    validation = (x[last], Y[last], *([LENGTHS[last]] if kind == "lengths" else []))
    model = network()
    theirs, wanted = trained(
        model, x[first], Y[first], sample_weight=ROW[first], validation=validation, **lengths,
        **options,
    )  # fmt: skip
    assert np.array_equal(ours, theirs)
    assert history["loss"] == wanted["loss"] and history["val_accuracy"] == wanted["val_accuracy"]
    assert history["val_loss"] != wanted["val_loss"], "they have their weights, too"


@pytest.mark.parametrize(("share", "rows"), [(0.1, 3), (0.125, 3), (0.95, 23), (1e-9, 0)])
def test_the_share_is_rounded_up(share, rows):
    seen = set()

    def look(x, rng):
        seen.update(x[:, 0, 0].tolist())
        return x

    if rows == 0:
        assert_refused(
            ValueError, ["validation_split is 1e-09, of 24 rows; wanted rows on both sides"],
            fit, network(), X, Y, validation_split=share,
        )  # fmt: skip
    else:
        fit(network(), X, Y, validation_split=share, augment=look, batch_size=5)
        assert seen == set(X[: N - rows, 0, 0].tolist())


# What is refused.


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"class_weight": {3: 1.0}}, ValueError, "a class of class_weight is above 2"),
        ({"class_weight": {"a": 1.0}}, TypeError, "a class of class_weight is 'a'"),
        ({"class_weight": {0: -1.0}}, ValueError, "class_weight[0] is -1.0"),
        ({"class_weight": {0: "1"}}, TypeError, "class_weight[0] is '1'"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, ValueError, "class_weight is 0 everywhere"),
        ({"class_weight": [1.0, 2.0]}, ValueError, "class_weight has shape (2,); wanted (3,)"),
        ({"class_weight": [1.0, np.inf, 2]}, ValueError, "class_weight runs from 1 to inf"),
        ({"class_weight": "balanced"}, TypeError, "class_weight is 'balanced'; wanted a dict"),
        ({"class_weight": 2.0}, TypeError, "class_weight is 2.0; wanted a dict"),
        ({"class_weight": CLASS, "y": SOFT - 1}, ValueError, "class_weight is for labels of"),
        ({"class_weight": CLASS, "y": RNG.normal(size=(N, 1)), "model": network(1)}, ValueError,
         "class_weight has shape (3,); wanted (2,)"),
        ({"class_weight": {1: 2}, "y": RNG.normal(size=(N, 1)), "model": network(1)}, ValueError,
         "class_weight is for labels of classes; loss mean_squared_error has values"),
        ({"class_weight": CLASS, "y": RNG.integers(0, 2, (N, C)), "loss": "binary_cross_entropy"},
         ValueError, "class_weight is for labels of classes; loss binary_cross_entropy has"),
        ({"class_weight": CLASS, "loss": partial(sce, class_weights=CLASS)}, ValueError,
         "class_weight is given, and loss has weights of its own"),
        ({"class_weight": CLASS, "loss": lambda output, y: sce(output, y)}, TypeError,
         "rows are weighted, and loss"),
        ({"sample_weight": ROW[1:]}, ValueError, "sample_weight has shape (23,); wanted (24,)"),
        ({"sample_weight": STEP}, ValueError, "as the model answers once a row"),
        ({"sample_weight": -ROW}, ValueError, "each must be finite and not negative"),
        ({"sample_weight": 0 * ROW}, ValueError, "sample_weight is 0 everywhere"),
        ({"sample_weight": ["a"] * N}, TypeError, "sample_weight holds <U1"),
        ({"sample_weight": Y == 0, "class_weight": {0: 0}}, ValueError, "every row weighs 0"),
        ({"sample_weight": np.arange(N) < 3, "validation_split": 0.1}, ValueError,
         "fit: validation: every row weighs 0"),
        ({"validation_split": 0.1, "validation": (X, Y)}, ValueError,
         "validation and validation_split are given; wanted one"),
        ({"validation_split": 1.0}, ValueError, "validation_split is 1.0; it must lie in (0.0, 1"),
        ({"validation_split": "a"}, TypeError, "validation_split is 'a'"),
        ({"validation_split": 0.5, "x": [(X, Y)], "y": None}, ValueError,
         "validation_split belongs to arrays x and y"),
        ({"class_weight": CLASS, "x": [(X, Y)], "y": None}, ValueError,
         "class_weight belongs to arrays x and y"),
        ({"sample_weight": ROW, "x": [(X, Y)], "y": None}, ValueError,
         "sample_weight belongs to arrays x and y"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_named(options, error, says):
    arguments = {"model": network(), "x": X, "y": Y} | options
    before = arguments["model"].flat_params.copy()
    assert_refused(error, ["fit: ", says], fit, **arguments)
    assert np.array_equal(arguments["model"].flat_params, before)


# Integers that only a later batch holds.


@pytest.mark.parametrize("where", ["x", "validation", "split", "alone"])
def test_an_index_out_of_range_in_the_last_row_is_found_before_the_first_step(where):
    words = RNG.integers(0, 7, (N, T))
    bad, steps, name = words.copy(), [], "fit: validation: " if where != "x" else "fit: "
    bad[-1, -1] = 7
    model = Sequential([Sequential([Embedding(7, F, seed=0)]), RNN(F, C, seed=1)])
    arguments = {"x": bad if where in ("x", "split") else words, "y": Y}
    if where == "validation":
        arguments["validation"] = (bad, Y)
    elif where == "split":
        arguments["validation_split"] = 0.2
    elif where == "alone":
        model, name = Embedding(7, C, seed=0), "fit: "
        arguments = {"x": bad, "y": EVERY}
    assert_refused(
        ValueError, [f"{name}x runs from ", " to 7; each must lie in 0..6"],
        fit, model, **arguments, batch_size=4, callbacks=lambda run: steps.append(1), shuffle=False,
        record_every=1,
    )  # fmt: skip
    assert steps == []
