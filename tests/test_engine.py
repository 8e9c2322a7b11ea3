"""The engine: one run for functions and layers, and the tables by which its loops go."""

import ast
import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import assert_same_bits

import rnnlite
from rnnlite import cells, engine

B, T, I, H = 3, 4, 2, 5


def problem(dtype="float32"):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(B, T, I)).astype(dtype)
    return x, rng.normal(size=(I + 1 + H) * 4 * H).astype(dtype)


def test_a_workspace_is_used_again_only_if_it_fits():
    x, weights = problem()
    _, workspace = engine.forward(cells.LSTM, x, weights, H)
    assert engine.forward(cells.LSTM, x, weights, H, workspace)[1] is workspace
    longer = np.concatenate((x, x), axis=1)
    wider = {"x": x.astype("float64"), "weights": weights.astype("float64")}
    for change in (
        {"x": longer},
        wider,
        {"for_backward": False},
        {"cell": cells.LSTM._replace(name="another", compiled=False)},
    ):
        given = {"cell": cells.LSTM, "x": x, "weights": weights, "hidden_size": H} | change
        y, other = engine.forward(**given, workspace=workspace)
        assert other is not workspace
        assert_same_bits("y", y, engine.forward(**given)[0])


def test_nothing_of_the_run_before_is_left_in_a_workspace():
    x, weights = problem()
    rng = np.random.default_rng(1)
    fresh, first = engine.forward(cells.LSTM, x, weights, H, initial=None)
    grads, again = np.empty_like(weights), np.empty_like(weights)
    engine.backward(first, np.cos(fresh), weights, grads)
    _, used = engine.forward(
        cells.LSTM, x, weights, H, initial=[np.ones((B, H), "f")] * 2, lengths=np.array([1, 4, 2]),
        reverse=True, return_sequences=False, dropout=0.5, rng=rng,
    )  # fmt: skip
    engine.backward(used, np.ones((B, H), "f"), weights, again, dfinal=[np.ones((B, H), "f")] * 2)
    y, _ = engine.forward(cells.LSTM, x, weights, H, used)
    engine.backward(used, np.cos(y), weights, again)
    assert_same_bits("y", y, fresh)
    assert_same_bits("grads", again, grads)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))]
)
def test_copies_of_a_workspace_run_by_themselves(copied):
    x, weights = problem()
    _, workspace = engine.forward(cells.LSTM, x, weights, H)
    final, twin = workspace.final_states(), copied(workspace)
    assert_same_bits("final", *(np.array(w.final_states()) for w in (workspace, twin)))
    y, used = engine.forward(cells.LSTM, -x, weights, H, twin, initial=[np.ones((B, H), "f")] * 2)
    assert used is twin and not np.array_equal(y[:, -1], final[0])
    assert_same_bits("final", twin.final_states()[0], y[:, -1])
    if copied is not copy.copy:
        assert_same_bits("final of the first", workspace.final_states()[0], final[0])


def test_backward_may_leave_what_was_saved():
    x, weights = problem("float64")
    y, workspace = engine.forward(cells.GRU_2014, x, weights[: (I + 2 + H) * 3 * H], H)
    r, grads = workspace.saved("r"), []
    for _ in range(2):
        grads.append(np.empty((I + 2 + H) * 3 * H))
        engine.backward(
            workspace, np.cos(y), weights[: grads[0].size], grads[-1], keep_saved=True
        )  # fmt: skip
        assert_same_bits("r", workspace.saved("r"), r)
    assert_same_bits("grads", *grads)


def longest_list(text):
    """Most arguments of a function in a module."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    return max(len(f.args.args) + len(f.args.kwonlyargs) for f in functions)


@pytest.mark.parametrize("place", ["kernels/loop.py", "kernels/packing.py", "kernels/gradients.py",
                                   "engine/*.py"])  # fmt: skip
def test_no_argument_list_is_too_long_to_hold_in_the_head(place):
    files = [f for f in Path(rnnlite.__file__).parent.glob(place) if f.name != "__init__.py"]
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not text.count("def ") or longest_list(text) <= 15, file
    assert files
    assert longest_list("def f(" + ", ".join(f"a{n}" for n in range(16)) + "): pass") > 15
