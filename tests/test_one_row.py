"""One row whose units two threads share: the bits of one thread, whoever comes, and when."""

import threading

import numpy as np
import pytest
from conftest import needs_jit

import rnnlite
from rnnlite import engine, reference
from rnnlite.engine import compiled, threads
from rnnlite.engine import one_row as sharing
from rnnlite.engine.workspace import Workspace
from rnnlite.kernels import meeting as meetings
from rnnlite.kernels import one_row
from rnnlite.kernels.parallel import LINE
from rnnlite.kernels.product import panel_width

pytestmark = needs_jit  # without it there is one thread

T, I, H = 12, 28, 128
X = np.random.default_rng(0).normal(size=(1, T, I)).astype("f")


class Run:
    """Arguments of the kernel for an LSTM with weights, as the engine gives them."""

    def __init__(self):
        self.layer = rnnlite.LSTM(I, H, return_sequences=True, seed=0)
        cell, weights = self.layer.cell, self.layer.flat_params
        self.wanted, w = engine.forward(cell, X, weights, H, for_backward=True)
        w = Workspace(cell, 1, T, I, H, "float32", for_backward=False)
        self.workspace = w
        self.kernel = compiled.engine_of(cell)._forward_of_one_row
        self.y, self.meeting = np.full((1, T, H), np.nan, "f"), meetings.new()
        self.arguments = (
            X, self.y, False, True, w.rows_of_two, w.gates, w.states, w.p, weights,
            w.layout.direct_products, w.zeros, self.meeting,
        )  # fmt: skip
        self.begin()

    def begin(self):
        self.y[...], self.meeting[...] = np.nan, 0
        self.workspace.begin(None, None, 0.0, None)

    def compute(self, first, last):
        self.kernel(first, last, *self.arguments)

    def is_right(self):
        return np.array_equal(self.y, self.wanted)


@pytest.fixture
def two_threads():
    before = threads.chosen()
    rnnlite.set_num_threads(2)
    yield
    threads._pool.chosen = before


def test_the_caller_alone():
    run = Run()
    run.compute(0, 2)
    assert run.is_right()


def test_a_worker_that_never_comes_is_not_waited_for():
    run = Run()
    run.compute(0, 1)
    assert run.is_right()
    assert run.meeting[0] == meetings.OVER


def test_a_worker_that_comes_too_late_leaves_all_as_it_is():
    run = Run()
    run.compute(0, 1)
    run.y[...] = 7.0
    run.compute(1, 2)
    assert (run.y == 7.0).all()


def test_a_worker_whose_caller_never_comes_goes():
    run = Run()
    run.compute(1, 2)
    assert run.meeting[0] == meetings.OVER
    assert np.isnan(run.y).all()
    run.compute(0, 1)  # and who comes then computes alone
    assert run.is_right()


def meet(run):
    """Both compute, the worker being there before the caller begins: from step 0 on."""
    for _ in range(10_000):  # a worker goes again where its caller gets no processor for long
        run.begin()
        worker = threading.Thread(target=run.compute, args=(1, 2))
        worker.start()
        while run.meeting[0] == meetings.NOBODY:
            pass
        run.compute(0, 1)
        worker.join()
        assert run.is_right()
        steps = run.meeting[[LINE, 2 * LINE]]  # that each of them has counted
        if steps.any():
            return steps.tolist()
    return pytest.fail("they never met")


def test_both_compute_their_units_of_every_step():
    run = Run()
    while (steps := meet(run)) != [T, T]:  # else one had to wait long
        assert meetings.parted(run.meeting) and steps[0] == steps[1] < T


@pytest.mark.long
def test_a_caller_that_has_waited_long_goes_on_alone():
    run = Run()
    run.kernel = one_row.make_forward(run.layer.cell, patience=-1)  # every wait is long
    assert meet(run) == [2, 2]
    assert meetings.parted(run.meeting)


def test_after_a_long_wait_nobody_shares_for_a_while():
    rest, shortest = sharing.Rest(), sharing.SHORTEST_REST
    assert rest.is_over() and rest.is_over()
    for expected in (shortest, 2 * shortest):
        rest.learn(waited_long=True)
        assert [rest.is_over() for _ in range(expected + 1)] == [False] * expected + [True]
    for _ in range(10 * shortest):
        rest.learn(waited_long=False)
    rest.learn(waited_long=True)
    assert rest.next_rest == 2 * shortest
    for _ in range(20):
        rest.learn(waited_long=True)
    assert rest.next_rest == sharing.LONGEST_REST


@pytest.mark.parametrize("parted", [False, True])
def test_a_run_is_learned_from(parted, monkeypatch):
    rest = sharing.Rest()
    monkeypatch.setattr(sharing, "_rest", rest)

    def parallel_for(kernel, count, work, met):
        met[0] = -meetings.FIRST - 3 if parted else meetings.FIRST

    sharing.run(parallel_for, None, 1)
    assert rest.is_over() is not parted


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {}),
        pytest.param(
            "RNN", {"go_backwards": True, "return_sequences": True}, marks=pytest.mark.long
        ),
        pytest.param("GRU", {}, marks=pytest.mark.long),
        pytest.param("LSTM", {"peephole": True}, marks=pytest.mark.long),
    ],
)
def test_two_threads_give_the_bits_of_one(kind, options, dtype, two_threads, monkeypatch):
    size = 256 if kind == "RNN" else H
    layer, x = getattr(rnnlite, kind)(I, size, seed=0, dtype=dtype, **options), X.astype(dtype)
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(1, size)).astype(dtype) for _ in layer.cell.states]
    state = tuple(parts) if len(parts) > 1 else parts[0]
    met, new = [], meetings.new
    monkeypatch.setattr(meetings, "new", lambda: met.append(new()) or met[-1])
    monkeypatch.setattr(sharing, "_rest", sharing.Rest())
    monkeypatch.setattr(sharing.Rest, "learn", lambda self, waited_long: None)
    monkeypatch.setattr(sharing, "OF_ONE_ROW", 100)  # worth a thread, however short
    rnnlite.set_num_threads(1)
    y, final = layer(x, initial_state=state, return_state=True)
    assert not met
    rnnlite.set_num_threads(2)
    for _ in range(50):
        again, final_again = layer(x, initial_state=state, return_state=True)
        np.testing.assert_array_equal(again, y)
        np.testing.assert_array_equal(np.array(final_again), np.array(final))
    assert len(met) == 50
    np.testing.assert_array_equal(layer.forward(x, initial_state=state), y)


@pytest.mark.parametrize("kind", ["LSTM", pytest.param("GRU", marks=pytest.mark.long)])
def test_with_rounded_products_two_threads_give_the_bits_of_one(kind, two_threads, monkeypatch):
    options = {"compute_dtype": "bfloat16"}
    test_two_threads_give_the_bits_of_one(kind, options, "float32", two_threads, monkeypatch)


def test_of_plain_numpy_it_is_the_same(two_threads):
    layer = rnnlite.LSTM(I, H, seed=0, return_sequences=True)
    h, _, _ = reference.lstm_forward(X, *(layer.params[n] for n in ("Wx", "Wh", "b")))
    np.testing.assert_allclose(layer(X), h, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("cell", "I", "H", "shares"),
    [
        ("LSTM", 28, 128, True),
        ("LSTM", 28, 130, False),  # columns of two gates in one panel
        ("LSTM", 8, 32, False),  # too little to do
        ("GRU_2014", 28, 128, False),  # an intermediate needs all units once more
    ],
)
def test_where_it_pays(cell, I, H, shares):
    width = panel_width("float32")
    found = one_row.can_share(getattr(rnnlite.cells, cell), I, H, width)
    assert found == (shares and H % width == 0)


def test_rows_with_padding_are_computed_by_the_usual_loop(two_threads):
    layer = rnnlite.LSTM(I, H, seed=0, return_sequences=True)
    y = layer(X, lengths=[T - 3])
    np.testing.assert_array_equal(y[:, : T - 3], layer(X[:, : T - 3]))
    assert (y[:, T - 3 :] == 0).all()
