"""Threads that cannot be started, and interrupts at any moment: nobody waits for ever."""

import logging
import queue
import subprocess
import sys
import threading

import pytest
from conftest import needs_jit

from rnnlite import set_num_threads
from rnnlite.engine import threads

PLENTY = 1000 * threads.WORTH_A_THREAD

pytestmark = needs_jit  # without it the caller computes alone


def parts(n, count=12):
    """Which parts of ``range(count)`` were computed, by n threads at most; all of them."""
    set_num_threads(n)
    found = []
    threads.parallel_for(lambda first, last: found.append((first, last)), count, PLENTY)
    assert sum(last - first for first, last in found) == count
    return sorted(found)


@pytest.fixture
def pool(monkeypatch):
    pool = threads._Pool()
    monkeypatch.setattr(threads, "_pool", pool)
    before = set(threading.enumerate())
    yield pool
    for worker in pool.workers:
        worker.put(None)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive(), "a thread that nobody knows of was left behind"


def failing_start(monkeypatch, nth, error, started):
    """``Thread.start`` raises at its nth call, before it has started anything or afterwards."""
    start, calls = threading.Thread.start, []

    def patched(thread):
        calls.append(thread)
        if len(calls) == nth and not started:
            raise error
        start(thread)
        if len(calls) == nth:
            raise error

    monkeypatch.setattr(threading.Thread, "start", patched)


@pytest.mark.parametrize("nth", range(1, 8))
def test_where_no_thread_can_be_started_fewer_compute(pool, monkeypatch, caplog, nth):
    failing_start(monkeypatch, nth, RuntimeError("can't start new thread"), started=False)
    threads._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        first = parts(4)
        assert len(first) == (nth if nth < 4 else 4)
        pool.replace_workers()  # calls 4 to 6, or 5 to 7 with the one that failed
        assert len(parts(4)) == 4
    assert len(caplog.records) == (nth < 7)
    assert all("can't start new thread" in record.message for record in caplog.records)


def test_without_any_thread_the_caller_computes_alone(pool, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert parts(4) == [(0, 12)]
    pool.replace_workers()


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("nth", range(1, 7))
def test_an_interrupt_while_a_thread_is_started_costs_that_call_alone(
    pool, monkeypatch, nth, started
):
    failing_start(monkeypatch, nth, KeyboardInterrupt(), started)
    with pytest.raises(KeyboardInterrupt):
        parts(4)
        pool.replace_workers()
    assert len(parts(4)) == 4
    pool.replace_workers()
    assert len(parts(4)) == 4


class Interrupting:
    """Stands for a worker's queue whose ``put`` is interrupted, before or after its work."""

    def __init__(self, worker, early):
        self.worker, self.early, self.done = worker, early, False

    def put(self, section):
        if not self.done:
            self.done = True
            if not self.early:
                self.worker.put(section)
            raise KeyboardInterrupt
        self.worker.put(section)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("nth", range(3))
def test_an_interrupt_while_shares_are_handed_out_leaves_nobody_computing(pool, nth, early):
    parts(4)
    pool.workers[nth] = Interrupting(pool.workers[nth], early)
    running, lock = [0], threading.Lock()

    def kernel(first, last):
        with lock:
            running[0] += 1
        threading.Event().wait(0.02)
        with lock:
            running[0] -= 1

    with pytest.raises(KeyboardInterrupt):
        threads.parallel_for(kernel, 12, PLENTY)
    assert running == [0]
    assert len(parts(4)) == 4


def test_an_interrupt_while_the_caller_waits_does_not_end_the_wait(pool, monkeypatch):
    class News(queue.Queue):
        interrupts = 0

        def get(self):
            if News.interrupts < 3:
                News.interrupts += 1
                raise KeyboardInterrupt
            return super().get()

    monkeypatch.setattr(threads.queue, "SimpleQueue", News)
    finished = []

    def kernel(first, last):
        if first:
            threading.Event().wait(0.1)
            finished.append(first)

    # Workers have such queues too: they are started before the first interrupt.
    monkeypatch.setattr(News, "interrupts", 3)
    parts(2)
    monkeypatch.setattr(News, "interrupts", 0)
    set_num_threads(2)
    with pytest.raises(KeyboardInterrupt):
        threads.parallel_for(kernel, 12, PLENTY)
    assert finished == [6] and News.interrupts >= 1


TIMER = """
import signal, sys, time
from rnnlite import set_num_threads
from rnnlite.engine import threads

class Alarm(Exception):
    pass

def ring(*_):
    if armed:
        raise Alarm

armed, counts = False, []
signal.signal(signal.SIGALRM, ring)
threads._Spin.learn = lambda spin, outcome: True  # replace all workers after each call
set_num_threads(3)
def kernel(first, last):
    running.append(first)
    time.sleep(0.0002)
    running.remove(first)

running, rung, end = [], 0, time.monotonic() + float(sys.argv[1])
signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0007)
while time.monotonic() < end:
    try:
        armed = True
        threads.parallel_for(kernel, 9, 1000 * threads.WORTH_A_THREAD)
        armed = False
    except Alarm:
        armed = False
        rung += 1
signal.setitimer(signal.ITIMER_REAL, 0, 0)
found, plenty = [], 1000 * threads.WORTH_A_THREAD
threads.parallel_for(lambda first, last: found.append(last - first), 9, plenty)
print(sum(found), rung)
"""


def timer_signals(seconds):
    done = subprocess.run(
        [sys.executable, "-c", TIMER, str(seconds)], capture_output=True, text=True,
        timeout=60 + seconds, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    computed, rung = map(int, done.stdout.split())
    assert computed == 9 and rung > 10 * seconds


@pytest.mark.skipif(not hasattr(__import__("signal"), "setitimer"), reason="no timer signals")
@pytest.mark.parametrize("seconds", [0.5, pytest.param(20, marks=pytest.mark.long)])
def test_timer_signals_that_raise_at_any_moment_hang_nothing(seconds):
    timer_signals(seconds)


def test_a_signal_handler_may_compute_while_the_pool_changes(pool):
    parts(3)
    with pool.changing:  # as if in the middle of a change, on the same thread
        assert len(parts(3)) == 3
