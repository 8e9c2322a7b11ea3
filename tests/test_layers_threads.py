"""Many threads use one model for inference at once; one at a time trains it."""

import threading

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits, sized
from layer_cases import every_model, rng

import rnnlite
from rnnlite import LSTM, Adam, Bidirectional, Dense, Dropout, Embedding, Flatten, Sequential
from rnnlite.layers import saved
from rnnlite.layers.saved import Saved

THREADS, REQUESTS = 8, sized(300, 6)


def serve(answer, requests, wanted):
    """Every thread sends its requests at once; those that were answered wrongly, and errors."""
    wrong, begin = [], threading.Barrier(THREADS)

    def client(number):
        order = rng(number).integers(0, len(requests), REQUESTS)
        begin.wait()
        for which in order:
            try:
                if not np.array_equal(answer(requests[which]), wanted[which]):
                    wrong.append(which)
            except Exception as error:
                wrong.append(error)

    clients = [threading.Thread(target=client, args=(n,)) for n in range(THREADS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return wrong


def served():
    lstm = LSTM(5, 12, return_sequences=True, seed=0, recurrent_dropout=0.3)
    both = Bidirectional(rnnlite.GRU(12, 7, return_sequences=True, seed=1), seed=2)
    return Sequential([lstm, Dropout(0.5, seed=3), both, Dense(14, 3, seed=4)])


def test_a_server_with_eight_threads_gets_every_answer_right(monkeypatch):
    """Eight shapes, 300 requests each, through every way to ask; hardly any memory taken anew."""
    model = served()
    shapes = [(1, 1), (2, 9), (1, 30), (7, 4), (16, 3), (3, 17), (33, 5), (5, 11)]
    requests = [rng(n).normal(size=(B, T, 5)).astype("f") for n, (B, T) in enumerate(shapes)]
    wanted = [model(x) for x in requests]
    rnnlite.set_num_threads(2)
    assert serve(model, requests, wanted) == []
    made = []
    monkeypatch.setattr(saved, "Saved", lambda *a: made.append(a) or Saved(*a))
    assert serve(model, requests, wanted) == []
    assert len(made) < THREADS * len(shapes) * 5  # of 12,000 runs of 5 layers; 10 are usual


ASKED = {
    "step": lambda: (LSTM(5, 9, seed=0), lambda m, x: np.stack(m.step(x[:, 0])[1])),
    "predict": lambda: (served(), rnnlite.predict),
    "predict_proba": lambda: (served(), rnnlite.predict_proba),
    "predict_values": lambda: (served(), rnnlite.predict_values),
    "evaluate": lambda: (
        served(), lambda m, x: rnnlite.evaluate(m, x, np.zeros(x.shape[:2], int)).loss
    ),
    "embedding": lambda: (
        Sequential([Embedding(9, 5, seed=0), LSTM(5, 4, seed=1)]),
        lambda m, x: m(np.abs(x[..., 0] * 3).astype(int) % 9),
    ),
    "flatten": lambda: (Flatten(), lambda m, x: m(x)),
    "bidirectional": lambda: (
        Bidirectional(LSTM(5, 4, seed=0), seed=1), lambda m, x: m(x, return_state=True)[1][1][1]
    ),
}  # fmt: skip


@pytest.mark.parametrize("make", ASKED.values(), ids=ASKED.keys())
def test_every_way_to_ask_a_model_may_be_used_by_many_threads(make, monkeypatch):
    monkeypatch.setitem(globals(), "REQUESTS", sized(40, 3))
    model, ask = make()
    requests = [rng(n).normal(size=(n + 1, 6 - n, 5)).astype("f") for n in range(4)]
    wanted = [ask(model, x) for x in requests]
    assert serve(lambda x: ask(model, x), requests, wanted) == []


@every_model
def test_inference_in_another_thread_leaves_training_alone(make, x):
    model, twin = make(), make()
    dy = np.ones_like(twin.forward(x))
    dx = twin.backward(dy)
    model.forward(x)
    thread = threading.Thread(target=lambda: [model(x + 1), model(x[:1])])
    thread.start()
    thread.join()
    assert_same_bits("dx", model.backward(dy), dx)


def in_another_thread(function, *arguments):
    """Run it there and raise here what it raises."""
    caught = []

    def run():
        try:
            function(*arguments)
        except Exception as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]


@every_model
def test_two_threads_that_train_one_model_are_told_so(make, x):
    model = make()
    optimizer = Adam(model)
    dy = np.ones_like(model.forward(x))
    said = "thread's; one thread at a time trains a model; give each its own: model.copy()"
    name = type(model).__name__
    fragments = [f"{name}.backward: the last forward was another {said}"]
    assert_refused(RuntimeError, fragments, in_another_thread, model.backward, dy)
    model.backward(dy)
    fragments = [f"Adam.step: the last backward was another {said}"]
    assert_refused(RuntimeError, fragments, in_another_thread, optimizer.step)
    optimizer.step()
    in_another_thread(lambda: (model.forward(x), model.backward(dy), optimizer.step()))


def test_fit_keeps_other_threads_from_training_its_model():
    model, x = Sequential([Dense(3, 2, seed=0)]), rng().normal(size=(8, 3)).astype("f")
    met = []

    class Meet(rnnlite.Callback):
        def step(self, run):
            calls = (lambda: model.forward(x), lambda: rnnlite.fit(model, x, [0, 1] * 4))
            for call in calls:
                with pytest.raises(RuntimeError, match="another thread") as raised:
                    in_another_thread(call)
                met.append(str(raised.value))
            in_another_thread(model, x)  # inference is free

    rnnlite.fit(model, x, [0, 1] * 4, callbacks=Meet())
    assert len(met) == 2 and met[1].startswith("fit: another thread is training this model")
    in_another_thread(lambda: rnnlite.fit(model, x, [0, 1] * 4))


def test_threads_that_train_at_once_get_errors_and_nothing_else():
    """Whatever their shapes: no wrong sizes in a kernel, no gradient of two batches."""
    model = Sequential([LSTM(5, 8, seed=0), Dense(8, 3, seed=1)])
    optimizer, caught, done = Adam(model), [], []

    def train(n):
        x = rng(n).normal(size=(n + 1, 3 * n + 1, 5)).astype("f")
        for _ in range(sized(100, 5)):
            try:
                y = model.forward(x, training=True)
                model.backward(np.ones_like(y))
                optimizer.step()
                done.append(n)
            except RuntimeError as error:
                caught.append(str(error))

    threads = [threading.Thread(target=train, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) + len(caught) == 4 * sized(100, 5)
    assert all("another thread's" in text for text in caught)
    assert np.isfinite(model.flat_params).all()


def test_memory_of_inference_is_that_of_the_last_run_of_its_shape_or_of_as_many_rows():
    pool, runs = saved.Pool(), [saved.Saved(False) for _ in range(5)]
    shapes = [(2, 5), (2, 6), (2, 6), (3, 6), None]
    for run, run.input_shape in zip(runs, shapes, strict=True):
        pool.give_back(run)
    assert pool.take((2, 5)) is runs[0]
    assert pool.take((2, 7)) is runs[2]  # the last one: its arrays are warm
    assert pool.take((2, 6)) is runs[1]
    fresh = pool.take((2, 6))
    assert fresh not in runs and not fresh.for_backward
    assert pool.take((3, 6)) is runs[3] and pool.take(None) is runs[4]
    for _ in range(pool.MOST + 3):
        pool.give_back(saved.Saved(False))
    assert len(pool._idle) == pool.MOST
