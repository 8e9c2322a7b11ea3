"""Several threads of a program that train at once, and a process that forks."""

import multiprocessing
import os
import threading

import numpy as np
import pytest
from conftest import assert_same_bits, needs_jit, sized

import rnnlite
from rnnlite import Adam, Dense, Sequential, get_num_threads, set_num_threads


def make_model(seed=0):
    return Sequential(
        [
            rnnlite.LSTM(6, sized(40, 5), return_sequences=True, seed=seed),
            rnnlite.GRU(sized(40, 5), sized(40, 5), seed=seed + 1),
            Dense(sized(40, 5), 3, seed=seed + 2),
        ]
    )


def train(model, steps=3, seed=0):
    """A few steps on random sequences; returns the parameters."""
    rng = np.random.default_rng(seed)
    rows = sized(64, 4)
    optimizer = Adam(model, lr=0.01)
    for _ in range(steps):
        x, labels = rng.normal(size=(rows, 6, 6)), rng.integers(0, 3, rows)
        logits = model.forward(x, lengths=rng.integers(1, 7, rows), training=True)
        _, dlogits = rnnlite.softmax_cross_entropy(logits, labels)
        model.backward(dlogits, need_dx=False)
        optimizer.step()
    return model.flat_params.copy()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_two_threads_train_two_models_as_if_each_were_alone(n):
    set_num_threads(n)
    steps = sized(30, 2)
    expected = [train(make_model(seed), steps, seed) for seed in (0, 10)]
    results, models = [None, None], [make_model(0), make_model(10)]
    ready = threading.Barrier(2)

    def run(which):
        ready.wait(30)
        results[which] = train(models[which], steps, 10 * which)

    callers = [threading.Thread(target=run, args=(which,)) for which in (0, 1)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
        assert not caller.is_alive()
    for result, alone in zip(results, expected, strict=True):
        assert_same_bits("params", result, alone)


def test_the_number_of_threads_may_change_while_another_thread_trains():
    expected = train(make_model(), sized(20, 2))
    results, stop = [], threading.Event()

    def run():
        results.append(train(make_model(), sized(20, 2)))
        stop.set()

    caller = threading.Thread(target=run)
    caller.start()
    n = 0
    while not stop.wait(0.001):
        n += 1
        set_num_threads(1 + n % 4)
    caller.join(60)
    assert_same_bits("params", results[0], expected)


@needs_jit
def test_training_has_the_same_bits_at_any_number_of_threads():
    results = []
    for n in (1, 2, 3):
        set_num_threads(n)
        results.append(train(make_model(), 5))
    assert_same_bits("two threads", results[1], results[0])
    assert_same_bits("three threads", results[2], results[0])


# --- fork -----------------------------------------------------------------------------------


def _train_in_child(connection):
    try:
        connection.send((get_num_threads(), train(make_model())))
    except BaseException as error:
        connection.send(repr(error))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Python's, with any threads
def test_a_forked_child_computes_with_threads_of_its_own():
    set_num_threads(2)
    expected = train(make_model())  # the parent's threads are running now
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_train_in_child, args=(sender,))
    child.start()
    try:
        assert receiver.poll(60), "the child did not answer: it waits for threads it does not have"
        answer = receiver.recv()
    finally:
        child.join(5)
        if child.is_alive():
            child.kill()
            child.join()
    assert not isinstance(answer, str), answer
    size, params = answer
    assert size == 2
    assert_same_bits("params of the child", params, expected)
    assert_same_bits("params of the parent", train(make_model()), expected)  # it goes on too
