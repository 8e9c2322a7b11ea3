"""What all tests share: random problems for every cell, comparison by name, sizes without JIT.

Import it by name: ``from conftest import CELLS, problem, ...``.

``NUMBA_DISABLE_JIT=1`` runs every kernel as plain Python, some hundred times slower: a test
asks ``sized(many, few)`` how much to do, and ``needs_jit`` skips what only compiled code
promises (the same bits for any cut of the rows, threads, no allocation).
"""

import gc
import importlib.util
import os
import signal
import sys
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import NamedTuple

# Before NumPy is there.  Threads of its OpenBLAS wait for each other by spinning: on a busy
# machine the QR of a 128-unit layer's weights took 1.7 s instead of 5 ms.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from programs import load_example
from small_mnist import SMALL

import rnnlite
from rnnlite.datasets import images
from rnnlite.kernels.jit import JIT_DISABLED

# The same examples on every run and every machine; the first call may compile for seconds.
settings.register_profile(
    "rnnlite",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("rnnlite")

# Their asserts are told as those of a test file.
pytest.register_assert_rewrite(
    "saved_models",
    "array_files",
    "beside_torch",
    "fresh_process",
    "loss_cases",
    "opened_page",
    "streamed",
)


# Thousands of tests are made and stay until the end: the garbage collector need not look at them.
def pytest_configure(config):
    gc.disable()
    if importlib.util.find_spec("sklearn") is None:  # of which the estimators are made
        estimators = Path(rnnlite.__file__).with_name("sklearn")
        config.option.ignore = [*(config.option.ignore or ()), str(estimators)]


def pytest_collection_finish(session):
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Neighbouring tests share kernels: each worker gets one half, and steals when it is done."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


# Doors, and the library that their examples need.
DOORS = {
    "rnnlite/interop/onnx_": "onnx",
    "rnnlite/interop/safetensors_": "safetensors",
    "rnnlite/logs/mlflow": "mlflow",
    "rnnlite/logs/optuna": "optuna",
    "rnnlite/logs/tensorboard": "tensorboardX",
    "rnnlite/tables/reader": "pandas",
}


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items):
    """Skip the examples of a door whose library is not installed; what is not quick is long."""
    cases = Counter()
    for item in items:
        if marker := item.get_closest_marker("quick"):
            test = item.nodeid.partition("[")[0]
            if cases[test] % marker.kwargs["every"]:
                item.add_marker(pytest.mark.long)
            cases[test] += 1
        for start, library in DOORS.items():
            if start in item.path.as_posix() and importlib.util.find_spec(library) is None:
                item.add_marker(pytest.mark.skip(reason=f"{library} is not installed"))


needs_jit = pytest.mark.skipif(
    JIT_DISABLED, reason="promised by the compiled kernels only; NUMBA_DISABLE_JIT is set"
)
every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


def sized(many, few):
    """``many``, or ``few`` where kernels run as plain Python."""
    return few if JIT_DISABLED else many


@pytest.fixture
def work_for_many(monkeypatch):
    """Lets small problems be dealt to several threads; returns the work that is worth one."""
    monkeypatch.setattr(rnnlite.engine.threads, "WORTH_A_THREAD", 100_000)
    return 100_000


@pytest.fixture(autouse=True)
def _same_number_of_threads_afterwards():
    before = rnnlite.get_num_threads()
    yield
    rnnlite.set_num_threads(before)


@pytest.fixture
def peak_memory():
    """Function that gives the most memory taken since the test began, in bytes."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.fixture(scope="module")
def no_waiting_for_the_disk():
    """Whether files survive a crash is asked in test_saving_atomic.py; elsewhere it costs time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture
def small(monkeypatch, tmp_path):
    """`datasets.mnist` made to expect the small files, and to know no real place."""
    files = tuple(file for _, file in SMALL.values())
    monkeypatch.setattr(images, "DIGITS", images.DIGITS._replace(files=files, mirrors=()))
    monkeypatch.setenv("RNNLITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RNNLITE_DATA", raising=False)
    return tmp_path


@pytest.fixture
def listening_to_ctrl_c():
    """Python's own answer to Ctrl-C: a shell has what runs in its background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def run_example(monkeypatch, capsys):
    """Run a program of examples/ in this process, where kernels are compiled; what it printed."""

    def call(name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        load_example(name).main()
        return capsys.readouterr().out

    return call


# --- the cells ------------------------------------------------------------------------------


class Cell(NamedTuple):
    """All that the tests need to know about a cell."""

    name: str
    function: str  # functional.<function>_forward, reference.<function>_forward
    layer: type
    gates: int
    shown: tuple  # attributes of the cache
    biases: tuple = ("b",)
    states: tuple = ("h",)
    extra: tuple = ()  # further arrays of the function; True for the layer
    options: tuple = ()  # keyword arguments of the function and of the layer
    file: str = ""  # where the reference has its equations, if not in the function's

    @property
    def params(self):
        return ("Wx", "Wh", *self.biases)

    @property
    def initial(self):
        return tuple(f"{state}0" for state in self.states)

    @property
    def arrays(self):
        return ("x", *self.params, *self.initial, *self.extra)

    def forward(self, module=rnnlite.functional):
        return getattr(module, f"{self.function}_forward")

    def backward(self, module=rnnlite.functional):
        return getattr(module, f"{self.function}_backward")

    def make(self, input_size, hidden_size, **arguments):
        """A layer of this cell."""
        options = dict(self.options) | dict.fromkeys(self.extra, True)
        return self.layer(input_size, hidden_size, **options, **arguments)

    def work(self, B, T, I, H):
        """Multiplications of a forward pass, as the engine counts them."""
        return B * T * (I + H) * self.gates * H


LSTM = Cell("lstm", "lstm", rnnlite.LSTM, 4, ("i", "f", "g", "o", "c", "h"), states=("h", "c"))
RNN_TANH = Cell("rnn-tanh", "rnn", rnnlite.RNN, 1, ("h",), options=(("activation", "tanh"),))
RNN_RELU = Cell("rnn-relu", "rnn", rnnlite.RNN, 1, ("h",), options=(("activation", "relu"),))
GRU = Cell("gru", "gru", rnnlite.GRU, 3, ("r", "z", "n", "h_n", "h"), biases=("b", "bh"))
CELLS = (LSTM, RNN_TANH, RNN_RELU, GRU)

CLIP = 0.6  # in random problems it binds about a third of the inputs
PEEPHOLES = LSTM._replace(name="lstm-peephole", extra=("peephole",), file="peephole_lstm")
CLIPPED = LSTM._replace(name="lstm-clip", options=(("clip", CLIP),), file="peephole_lstm")
KEYWORD_CELLS = (
    PEEPHOLES,
    CLIPPED,
    CLIPPED._replace(name="lstm-peephole-clip", extra=("peephole",)),
    GRU._replace(
        name="gru-2014", options=(("reset_after", False),), shown=("r", "z", "n", "h"),
        file="gru_2014",
    ),
)  # fmt: skip


def for_each(cells):
    return pytest.mark.parametrize("cell", cells, ids=[cell.name for cell in cells])


every_cell = for_each(CELLS)


def shapes(cell, B, T, I, H):
    """Shape of every array argument of the cell's forward function."""
    K = cell.gates * H
    weights = {"x": (B, T, I), "Wx": (I, K), "Wh": (H, K)}
    weights |= dict.fromkeys(cell.biases, (K,)) | dict.fromkeys(cell.initial, (B, H))
    return weights | dict.fromkeys(cell.extra, (3 * H,))


ARRAYS = [(cell, name) for cell in CELLS for name in shapes(cell, 1, 1, 1, 1)]
every_array = pytest.mark.parametrize(
    ("cell", "name"), ARRAYS, ids=[f"{cell.name} {name}" for cell, name in ARRAYS]
)


def problem(cell, B=3, T=4, I=5, H=6, dtype=np.float64, seed=0, lengths=None, initial=True):
    """Random arguments for the cell's forward function.

    Projections have a size of about one, so that the gates are neither shut nor linear.
    """
    rng = np.random.default_rng(seed)
    width = {"Wx": (I + H) ** -0.5, "Wh": (I + H) ** -0.5}
    arguments = {
        name: rng.normal(0.0, width.get(name, 1.0), shape).astype(dtype)
        for name, shape in shapes(cell, B, T, I, H).items()
    }
    if not initial:
        arguments |= dict.fromkeys(cell.initial)
    return arguments | {"lengths": lengths} | dict(cell.options)


def ragged(B, T, seed=0):
    """Lengths from 0 to T; both ends occur if there are two rows."""
    lengths = np.random.default_rng(seed).integers(0, T + 1, B)
    lengths[:2] = (T, 0)[:B]
    return lengths


def upstream(cell, B=3, T=4, H=6, dtype=np.float64, seed=1):
    """Random gradients by the outputs: ``dh`` and one for each final state."""
    rng = np.random.default_rng(seed)
    gradients = {"dh": rng.normal(size=(B, T, H)).astype(dtype)}
    for state in cell.states:
        gradients[f"d{state}T"] = rng.normal(size=(B, H)).astype(dtype)
    return gradients


def run(cell, arguments, module=rnnlite.functional):
    """Outputs h, the final states as a tuple, and the cache."""
    h, state, cache = cell.forward(module)(**arguments)
    return h, state if isinstance(state, tuple) else (state,), cache


def everything(cell, arguments, gradients, module=rnnlite.functional):
    """All results of forward and backward, by name: outputs, states, cache, gradients."""
    h, states, cache = run(cell, arguments, module)
    results = {"h": h} | {f"{s}T": value for s, value in zip(cell.states, states, strict=True)}
    results |= {f"cache.{name}": getattr(cache, name) for name in cell.shown}
    return results | cell.backward(module)(cache=cache, **gradients)._asdict()


def set_params(layer, arguments):
    """Write the arguments of a forward function into the parameters of a layer."""
    for name, array in layer.params.items():
        array[...] = arguments[name]


# --- comparison -----------------------------------------------------------------------------


def _assert_none(wrong, name, got, expected, by_how_much=""):
    if wrong.any():
        at = tuple(map(int, np.argwhere(wrong)[0]))
        raise AssertionError(
            f"`{name}` differs first at {at}: {got[at]!r} instead of {expected[at]!r}; "
            f"{wrong.sum()} of {wrong.size} elements differ{by_how_much}"
        )


def assert_close(name, got, expected, tolerance):
    """Compare element by element; ``tolerance`` is relative to the largest element.

    To 0.1 at least: the numbers of the tests are about 1, and a sum of them that happens to be
    small has the rounding errors of its terms.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, f"`{name}` has shape {got.shape}, not {expected.shape}"
    scale = max(float(np.abs(expected).max(initial=0.0)), 0.1)
    wrong = ~(np.abs(got.astype(np.float64) - expected) <= tolerance * scale)
    _assert_none(wrong, name, got, expected, f" by more than {tolerance * scale:.3g}")


def assert_same_bits(name, got, expected):
    """Equal, NaN in the same places, of one dtype and shape."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype == expected.dtype, f"`{name}` is {got.dtype}, not {expected.dtype}"
    assert got.shape == expected.shape, f"`{name}` has shape {got.shape}, not {expected.shape}"
    wrong = ~((got == expected) | (np.isnan(got) & np.isnan(expected)))
    _assert_none(wrong, name, got, expected)


def assert_all_close(results, expected, tolerance, dtype):
    """Compare two dicts of arrays by name."""
    assert list(results) == list(expected)
    for name, array in results.items():
        assert array.dtype == dtype, f"`{name}` is {array.dtype}, not {np.dtype(dtype)}"
        assert_close(name, array, expected[name], tolerance)


def assert_all_same_bits(results, expected):
    """Compare two dicts of arrays by name."""
    assert list(results) == list(expected)
    for name, array in results.items():
        assert_same_bits(name, array, expected[name])


def assert_allocates_little(step, most):
    """Once it has run, ``step`` takes less than ``most`` bytes at any time, and keeps none.

    What every step takes and keeps counts: the threads of the test runner take memory now and
    then, too, and a worker thread may be replaced.
    """

    def memory():
        gc.collect()  # empties the interpreter's lists of free tuples as well
        tracemalloc.reset_peak()
        return tracemalloc.get_traced_memory()[0]

    for _ in range(3):
        step()
    gc.collect()
    gc.freeze()  # what is there now is not searched again each time
    tracemalloc.start()
    try:
        taken, kept = [], []
        before = memory()
        for _ in range(4):
            step()
            taken.append(tracemalloc.get_traced_memory()[1] - before)
            after = memory()
            kept.append(after - before)
            before = after
        assert min(taken) < most
        assert min(kept) < 1_000
    finally:
        tracemalloc.stop()
        gc.unfreeze()


def assert_refused(error, fragments, call, *arguments, **keywords):
    """The call raises ``error``, and its message holds every fragment."""
    with pytest.raises(error) as raised:
        call(*arguments, **keywords)
    for fragment in fragments:
        assert fragment in str(raised.value), f"no {fragment!r} in: {raised.value}"
