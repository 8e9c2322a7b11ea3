"""Threads: how many, who computes what, waiting, and errors."""

import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits, needs_jit, sized

import rnnlite
from rnnlite import Adam, Dense, get_num_threads, set_num_threads
from rnnlite.engine import threads
from rnnlite.kernels.parallel import FOUND, LEFT, LINE, MISSED, SPIN_LIMIT
from rnnlite.kernels.sgd import sgd

PLENTY = 1000 * threads.WORTH_A_THREAD  # enough work for any number of threads


# --- how many -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 7, np.int64(3), np.uint8(4)])
def test_the_number_of_threads_is_what_was_set(n):
    set_num_threads(n)
    assert get_num_threads() == n
    assert type(get_num_threads()) is int


@pytest.mark.parametrize(
    ("n", "error"),
    [(0, ValueError), (-1, ValueError), (2.0, TypeError), ("2", TypeError), (None, TypeError),
     (True, TypeError), (np.True_, TypeError), ([2], TypeError), (np.nan, TypeError)],
)  # fmt: skip
def test_a_bad_number_of_threads_is_refused_and_changes_nothing(n, error):
    set_num_threads(2)
    assert_refused(error, [f"set_num_threads: n is {n!r}"], set_num_threads, n)
    assert get_num_threads() == 2


def test_a_thread_may_be_told_how_many_to_compute_with_and_others_are_not():
    set_num_threads(2)
    with threads.threads_here(3), ThreadPoolExecutor(1) as other:
        assert get_num_threads() == 3 and other.submit(get_num_threads).result() == 2
        with threads.threads_here(None):
            assert get_num_threads() == 3
        with threads.threads_here(1):
            assert get_num_threads() == 1
        assert get_num_threads() == 3
    assert get_num_threads() == 2


def test_at_first_there_are_as_many_threads_as_processors():
    expected = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert threads._Pool().size == expected


# --- who computes what ----------------------------------------------------------------------


def shares(n, count, work):
    """The parts of ``range(count)`` and the threads that computed them."""
    set_num_threads(n)
    parts, lock = [], threading.Lock()

    def kernel(first, last, *arguments):
        assert arguments == ("a", "b")
        with lock:
            parts.append((first, last, threading.current_thread().name))

    threads.parallel_for(kernel, count, work, "a", "b")
    return sorted(parts)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 100])
def test_every_element_is_computed_once(n, count):
    parts = shares(n, count, PLENTY)
    assert [first for first, _, _ in parts] == [0, *(last for _, last, _ in parts[:-1])]
    assert parts[-1][1] == count
    assert all(first < last for first, last, _ in parts)
    assert len(parts) == sized(min(n, count), 1)


@needs_jit
def test_every_part_has_a_thread_of_its_own_and_the_caller_takes_the_first():
    parts = shares(4, 100, PLENTY)
    names = [name for _, _, name in parts]
    assert names[0] == threading.current_thread().name
    assert len(set(names)) == 4
    assert all(name.startswith("rnnlite-") for name in names[1:])


def test_a_small_problem_runs_on_the_caller_alone():
    for work in (0, 1, threads.WORTH_A_THREAD - 1):
        assert shares(8, 100, work) == [(0, 100, threading.current_thread().name)]


@needs_jit
def test_threads_grow_with_the_work():
    for n in (1, 2, 3):
        assert len(shares(3, 100, (n - 1) * threads.WORTH_A_THREAD)) == n


@needs_jit
def test_a_small_layer_starts_no_threads_and_a_large_one_does(monkeypatch):
    monkeypatch.setattr(threads, "_pool", threads._Pool())
    set_num_threads(2)
    small = rnnlite.LSTM(3, 4, seed=0)
    small.backward(small.forward(np.ones((2, 5, 3))))
    Adam(small).step()
    assert not threads._pool.workers
    large = rnnlite.LSTM(30, 40, seed=0)
    large.backward(large.forward(np.ones((64, 10, 30))))
    assert len(threads._pool.workers) == 1


@needs_jit
def test_a_caller_looks_at_the_signals_of_its_workers_and_no_further():
    """What follows the signals in memory, here zeros or ones, says nothing."""
    start_flags, p, g = np.zeros(3 * LINE, np.int64), np.ones(4), np.ones(4)
    for behind in (0, 1):
        memory = np.full(5 * LINE, behind, np.int64)
        done = memory[: 3 * LINE]
        for second, outcome in ((0, MISSED), (1, FOUND)):
            done[:] = 0
            done[SPIN_LIMIT], done[LINE], done[2 * LINE] = 50, 1, second
            assert sgd.run(start_flags, done, threads.CALLER, 0, 4, p, g, 0.1, 0.0) == outcome


def test_layers_tell_how_much_they_multiply(monkeypatch):
    """By which the threads are chosen: forward, backward, then the gradients of the weights."""
    told, run = [], threads.parallel_for

    def parallel_for(kernel, count, work, *arguments):
        told.append(work)
        run(kernel, count, work, *arguments)

    def work_of(layer):
        del told[:]
        layer.backward(layer.forward(np.ones((2, 5, 3))))
        return told

    monkeypatch.setattr(threads, "parallel_for", parallel_for)
    assert work_of(rnnlite.Dense(3, 4, seed=0)) == [10 * 3 * 4] * 3
    all_of_it = 10 * (3 + 4) * 16
    assert work_of(rnnlite.LSTM(3, 4, seed=0)) == [all_of_it] * 3
    assert work_of(rnnlite.layers.LayerNorm(3)) == [10 * 3] * 2
    lstm = rnnlite.LSTM(3, 4, seed=0)
    lstm.backward(lstm.forward(np.ones((2, 5, 3))), need_dx=False)
    assert told[-2] == 10 * 4 * 16


@needs_jit
def test_fewer_threads_from_now_on_are_fewer():
    assert len(shares(4, 100, PLENTY)) == 4
    assert len(shares(2, 100, PLENTY)) == 2
    assert len(shares(1, 100, PLENTY)) == 1


# --- waiting ----------------------------------------------------------------------------------


def test_who_misses_more_than_finds_looks_no_longer_until_the_next_attempt():
    spin = threads._Spin()
    for _ in range(100):
        assert not any(spin.learn(outcome) for outcome in (MISSED, FOUND, LEFT))
    assert spin.limit() > 0
    while not spin.learn(MISSED):
        pass
    assert spin.limit() > 0, "a replaced worker gets its chance"
    while not spin.learn(MISSED):
        pass
    for _ in range(threads.SHORTEST_REST):
        assert spin.limit() == 0
        assert not spin.learn(MISSED)
    assert spin.limit() > 0


@needs_jit
def test_no_share_is_lost_while_workers_are_replaced(monkeypatch):
    """Several callers, and a pool that finds everybody late."""
    pool = threads._Pool()
    monkeypatch.setattr(threads, "_pool", pool)
    monkeypatch.setattr(threads._Spin, "learn", lambda spin, outcome: True)
    set_num_threads(3)
    counts, lock = [], threading.Lock()

    def kernel(first, last):
        with lock:
            counts.append(last - first)

    assert len(shares(3, 100, PLENTY)) == 3
    first = pool.workers[0]
    callers = [
        threading.Thread(
            target=lambda: [threads.parallel_for(kernel, 9, PLENTY) for _ in range(200)],
            daemon=True,
        )
        for _ in range(3)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert not any(caller.is_alive() for caller in callers)
    assert sum(counts) == 3 * 200 * 9
    assert pool.workers[0] is not first


@needs_jit
@pytest.mark.parametrize("spin", [0, 1, 10**6])
def test_the_result_does_not_depend_on_how_long_the_caller_spins(monkeypatch, spin):
    set_num_threads(3)
    monkeypatch.setattr(threads._Spin, "limit", lambda self: spin)
    model = Dense(300, 200, seed=0)
    x = np.random.default_rng(0).normal(size=(500, 300)).astype(np.float32)
    wanted = Dense(300, 200, seed=0).forward(x)
    for _ in range(50):
        assert_same_bits("y", model.forward(x, training=True), wanted)


# --- errors ---------------------------------------------------------------------------------


class OwnError(Exception):
    """Raised by kernels below."""


@needs_jit
@pytest.mark.parametrize("bad", [0, 1, 2], ids=["caller", "first worker", "last worker"])
def test_an_exception_in_a_kernel_reaches_the_caller(bad):
    set_num_threads(3)
    finished = []

    def kernel(first, last):
        if first == bad:
            raise OwnError(f"at {first}")
        finished.append(first)

    with pytest.raises(OwnError, match=f"at {bad}"):
        threads.parallel_for(kernel, 3, PLENTY)
    assert sorted(finished) == [n for n in range(3) if n != bad]  # nobody was left running
    assert len(shares(3, 3, PLENTY)) == 3  # and the threads serve on


def test_an_exception_on_the_caller_alone_reaches_it():
    def kernel(first, last):
        raise OwnError("alone")

    set_num_threads(1)
    with pytest.raises(OwnError, match="alone"):
        threads.parallel_for(kernel, 3, PLENTY)


@needs_jit
def test_the_caller_waits_for_all_threads_before_it_raises():
    set_num_threads(2)
    started, finished = threading.Event(), threading.Event()

    def kernel(first, last):
        if first == 0:
            started.wait(10)
            raise OwnError
        started.set()
        finished.wait(0.2)
        finished.set()

    with pytest.raises(OwnError):
        threads.parallel_for(kernel, 2, PLENTY)
    assert finished.is_set()


@needs_jit
def test_errors_on_every_thread_raise_one_of_them():
    def kernel(first, last):
        raise OwnError(first)

    set_num_threads(3)
    for _ in range(3):
        with pytest.raises(OwnError):
            threads.parallel_for(kernel, 3, PLENTY)


@needs_jit
def test_workers_hold_no_arrays_while_they_wait():
    class Big:
        """Stands for an array."""

    set_num_threads(3)
    big = Big()
    seen = weakref.ref(big)
    threads.parallel_for(lambda first, last, argument: None, 3, PLENTY, big)
    del big
    spin = time.monotonic() + 5
    while seen() is not None and time.monotonic() < spin:
        time.sleep(0.001)  # a worker lets go just after its answer
    assert seen() is None
