"""Whatever training, files, checks and data sets are given: a named error, or the right answer."""

import functools
import io

import numpy as np
import pytest
from conftest import assert_close
from fuzz import (
    array_like,
    choices,
    examples,
    flags,
    mostly,
    odd,
    odd_but,
    refused,
    row_lengths,
    tried,
)
from hypothesis import given
from hypothesis import strategies as st

import rnnlite
from rnnlite import GRU, RNN, Dense, Dropout, EarlyStopping, Embedding, Sequential, datasets
from rnnlite.datasets import idx

pytestmark = pytest.mark.long  # what they found once is a test of its own elsewhere

N, T, F, C = 6, 4, 3, 2
finite_counts = odd.filter(lambda n: not isinstance(n, (int, np.integer)) or n in (-1, 0, 1, 2))
counts = mostly(st.integers(1, 4), finite_counts)


@functools.cache
def network(kind):
    last = [Dense(4, C, seed=1)]
    return Sequential({
        "rnn": [RNN(F, 4, seed=0), *last],
        "steps": [GRU(F, 4, return_sequences=True, seed=0), Dropout(0.5, seed=0), *last],
        "words": [Embedding(5, F, seed=0), RNN(F, 4, seed=0), *last],
        "nothing": [Dropout(0.5, seed=0)],
    }[kind])  # fmt: skip


kinds = st.sampled_from(["rnn", "steps", "words", "nothing"])


def data_for(kind, a, b):
    """Something for x and y of that model."""
    x = array_like(a, (N, T), below=5) if kind == "words" else array_like(a, (N, T, F))
    answers = (N, T) if kind in ("steps", "nothing") else (N,)
    if b % 3 == 0:
        return x, array_like(b, (*answers, F if kind == "nothing" else C))
    return x, array_like(b, answers, below=C)


def batches_like(choice, kind):
    """Something for an iterable of batches, or for a function that makes one."""
    x, y = data_for(kind, 2 * choice, 2 * choice + 1)
    lengths = array_like(choice, (N,), below=T + 1)
    made = [[(x, y)], [(x, y, lengths)], [x], [(x,)], [], [(x, y), (y, x)]][choice % 6]
    ways = [lambda: made, lambda: iter(made), lambda: lambda epoch: made, lambda: lambda epoch: x]
    return ways[choice // 6 % 4]()


OPTIONS = {
    "optimizer": odd, "epochs": counts, "steps": counts, "batch_size": mostly(st.just(2)),
    "shuffle": flags, "seed": odd, "progress": odd_but(True),
    "loss": mostly(
        st.sampled_from(["softmax_cross_entropy", "mean_squared_error", "binary_cross_entropy"]),
        st.one_of(odd, odd.map(lambda it: lambda output, y: it),
                  odd.map(lambda it: lambda output, y: (it, output)),
                  odd.map(lambda it: lambda output, y: (1.0, it)))),
    "augment": st.one_of(odd_but(int, len),
                         odd.map(lambda it: lambda x, rng: it),
                         st.just(lambda x, rng: x[:1])),
    "schedule": st.one_of(odd_but(len),
                          odd.map(lambda it: lambda step: it)),
    "clip_norm": odd, "average": odd, "callbacks": odd_but(len),
    "early_stopping": mostly(st.builds(EarlyStopping, st.just(1), st.just("loss"))),
    "record_every": counts, "checkpoint": st.sampled_from([1, 1.5, b"x", "", "a\0b", []]),
    "checkpoint_every": counts, "resume": flags,
}  # fmt: skip
TROUBLE = (rnnlite.TrainingDiverged, OSError)


@examples(250, 20)
@given(kinds, st.data())
def test_fit_refuses_or_trains(kind, data):
    model = network(kind).copy()
    if data.draw(st.booleans()):
        arguments = data_for(kind, data.draw(choices), data.draw(choices))
    else:
        arguments = (batches_like(data.draw(choices), kind),)
    keywords = {}
    for name in data.draw(st.sets(st.sampled_from(sorted(OPTIONS)), max_size=3)):
        keywords[name] = data.draw(OPTIONS[name])
    if data.draw(st.booleans()):
        validation = mostly(st.just(data_for(kind, data.draw(choices), data.draw(choices))))
        keywords["validation"] = data.draw(validation)
    keywords["lengths"] = row_lengths(data.draw(choices), N, T) if len(arguments) == 2 else None
    history = tried(rnnlite.fit, model, *arguments, also=TROUBLE, **keywords)
    assert np.isfinite(model.flat_params).all()
    if not refused(history):
        assert type(history) is rnnlite.History and np.isfinite(history["loss"]).all()
        assert {len(column) for column in history.values()} == {len(history["step"])}


losses = mostly(st.just(None), odd_but(int, len))


@examples(150, 20)
@given(kinds, choices, choices, choices, mostly(st.integers(1, 9)), losses)
def test_evaluate_and_predict_refuse_or_answer(kind, a, b, c, batch_size, loss):
    model, (x, y) = network(kind), data_for(kind, a, b)
    options = {"lengths": row_lengths(c, N, T), "batch_size": batch_size}
    metrics = tried(rnnlite.evaluate, model, x, y, loss=loss, **options)
    assert refused(metrics) or type(metrics.loss) is float
    assert refused(metrics) or metrics.accuracy is None or 0 <= metrics.accuracy <= 1
    streamed = tried(rnnlite.evaluate, model, batches_like(a, kind), batch_size=batch_size)
    assert refused(streamed) or type(streamed.loss) is float
    values = tried(rnnlite.predict_values, model, x, **options)
    classes, shares = (
        tried(f, model, x, **options) for f in (rnnlite.predict, rnnlite.predict_proba)
    )
    assert refused(values) == refused(shares)
    assert refused(classes) >= refused(values)
    if refused(values):
        assert a % 2 or refused(metrics)
        return
    assert values.dtype == np.float32 and shares.shape == values.shape and len(values) == len(x)
    if refused(classes):
        assert np.isnan(values).any()
        return
    assert classes.shape == values.shape[:-1] and classes.dtype == np.int64
    if np.isfinite(values).all():
        whole = tried(model.forward, x, lengths=options["lengths"])
        assert_close("values", values, whole, 1e-6)
        assert np.isin(shares.sum(axis=-1).round(4), (0, 1)).all() or values.shape[-1] == 1
        assert -1 <= classes.min() and classes.max() < max(2, values.shape[-1])


@examples(100)
@given(st.data())
def test_anything_else_than_a_model_is_refused(data):
    thing = data.draw(odd)
    for call in (rnnlite.fit, rnnlite.evaluate, rnnlite.predict, rnnlite.predict_proba,
                 rnnlite.predict_values):  # fmt: skip
        assert refused(tried(call, thing, data.draw(odd)))


@examples(150)
@given(choices, choices, mostly(st.integers(1, 6)), mostly(st.just(None)))
def test_a_confusion_matrix_is_refused_or_counts(a, b, classes, names):
    labels, predicted = array_like(a, (N,), below=3), array_like(b, (N,), below=3)
    matrix = tried(rnnlite.confusion_matrix, labels, predicted, classes, names)
    if not refused(matrix):
        labels, predicted = np.asarray(labels).ravel(), np.asarray(predicted).ravel()
        counts = matrix.counts
        assert counts.shape == (len(matrix.names),) * 2 and counts.dtype == np.int64
        for t, p in np.ndindex(counts.shape):
            assert counts[t, p] == np.sum((labels == t) & (predicted == p))
        assert str(matrix)


@examples(150)
@given(mostly(st.floats(0, 1)), mostly(st.integers(1, 10**6)), mostly(st.floats(0, 5)))
def test_an_interval_is_refused_or_holds_the_accuracy(accuracy, n, z):
    interval = tried(rnnlite.accuracy_interval, accuracy, n, z)
    if not refused(interval):
        low, high = interval
        assert -1e-9 <= low <= accuracy + 1e-9 and accuracy - 1e-9 <= high <= 1 + 1e-9


@examples(60)
@given(odd, odd, odd, odd)
def test_early_stopping_is_made_or_refused(patience, monitor, delta, restore):
    for arguments in ((patience,), (1, monitor), (1, "loss", delta), (1, "loss", 0, restore)):
        assert refused(made := tried(EarlyStopping, *arguments)) or made.patience >= 1


# ---- files ---------------------------------------------------------------------------------

FILES = (OSError,)


@examples(150, 60)
@given(st.data())
def test_a_file_of_anything_is_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("files")
    path, model = folder / "model", Sequential([RNN(2, 2, seed=0), Dropout(0.5, seed=1)])
    rnnlite.save(model, path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = data.draw(st.binary(max_size=200))
    else:
        place = data.draw(st.integers(0, len(content) - 1))
        changed = data.draw(st.sampled_from(["flip", "cut", "more"]))
        if changed == "flip":
            content[place] ^= data.draw(st.integers(1, 255))
        else:
            content = content[:place] if changed == "cut" else content + bytes(place + 1)
    path.write_bytes(content)
    with pytest.raises(rnnlite.saving.CorruptFile, match="model"):
        rnnlite.load(path)
    before = model.flat_params.copy()
    with pytest.raises(rnnlite.saving.CorruptFile):
        rnnlite.load(path, into=model)
    assert np.array_equal(before, model.flat_params)


@examples(60)
@given(odd_but("abc", "1"), odd)
def test_save_and_load_refuse_what_is_no_path_or_model(path, thing):
    model = RNN(2, 2, seed=0)
    assert refused(tried(rnnlite.save, model, path, also=FILES))
    assert refused(tried(rnnlite.load, path, also=FILES))
    assert refused(tried(rnnlite.save, thing, path, also=(*FILES, TypeError)))


# ---- checks and data sets ------------------------------------------------------------------


@examples(40, 5)
@given(st.data())
def test_a_gradient_check_refuses_or_reports(data):
    layer = data.draw(mostly(st.sampled_from([RNN(F, 2, seed=0), Dense(F, C), Embedding(5, 2)])))
    below = 5 if isinstance(layer, Embedding) else None
    x = array_like(data.draw(choices), (2, 3) if below else (2, 3, F), below=below)
    options = {"labels": odd, "loss": odd_but(int, len),
               "initial_state": odd, "lengths": odd, "tolerance": odd, "samples": odd,
               "seed": odd}  # fmt: skip
    chosen = data.draw(st.sets(st.sampled_from(sorted(options)), max_size=2))
    keywords = {"samples": 2} | {name: data.draw(options[name]) for name in chosen}
    report = tried(rnnlite.gradcheck.check, layer, x, **keywords)
    assert refused(report) or str(report)
    thing = data.draw(odd)
    assert refused(tried(rnnlite.gradcheck.check_equations, thing))


@examples(100)
@given(st.data())
def test_data_sets_refuse_or_answer(data):
    images = array_like(data.draw(choices), (2, 5, 4))
    rng = data.draw(mostly(st.just(np.random.default_rng(0))))
    names = ("shift", "rotate", "scale", "shear", "bend")
    options = {name: mostly(st.floats(0, 2)) for name in names}
    chosen = data.draw(st.sets(st.sampled_from(sorted(options)), max_size=2))
    moved = tried(
        datasets.random_affine, images, rng, **{name: data.draw(options[name]) for name in chosen}
    )
    assert refused(moved) or (moved.shape, moved.dtype) == (
        np.shape(images),
        np.asarray(images).dtype,
    )
    value = data.draw(odd_but(True, np.True_))
    also = (datasets.DataNotFound,)
    for name in ("one_hot", "validation", "download"):
        options = {"folder": "no-such-folder", "download": False} | {name: value}
        assert refused(tried(datasets.mnist, also=also, **options))
    with pytest.raises(datasets.CorruptData):
        idx.read(io.BytesIO(data.draw(st.binary(max_size=40))), "file", idx.IdxFile("file", (9,)))


@examples(120)
@given(st.data())
def test_a_custom_cell_is_made_or_refused(data):
    def step(z, state):
        return (z[0],), (z[0],)

    def step_backward(dstate, saved, state, new_state):
        return (dstate[0],), (0.0 * dstate[0],)

    given_ = {"name": "mine", "step": step, "step_backward": step_backward, "gates": ["h"],
              "saved": ["h"], "compiled": False}  # fmt: skip
    options = (
        "states",
        "blocks",
        "unit_params",
        "recurrent_bias",
        "intermediate",
        "whole_rows",
        *given_,
    )
    for name in data.draw(st.sets(st.sampled_from(options), max_size=2)):
        given_[name] = data.draw(odd)
    cell = tried(rnnlite.custom_cell, **given_)
    assert (
        refused(cell) or refused(made := tried(rnnlite.Recurrent, cell, 2, 2)) or made.cell is cell
    )
