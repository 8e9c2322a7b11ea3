"""What the reference refuses: wrong shapes, dtypes, options, labels and caches, each by name."""

import math

import numpy as np
import pytest
from reference_cells import REFERENCE_CELLS, backward, every_reference_cell, problem, run

from rnnlite import functional, reference


@every_reference_cell
@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [
        ("x", (3, 4), r"\(batch, time, 2\)"),
        ("x", (3, 4, 5), r"\(batch, time, 2\)"),
        ("x", (3, 0, 2), r"\(batch, time, 2\)"),
        ("Wx", (2, 7), r"\(input, \d+\)"),
        ("Wh", (3, 7), r"\(3, \d+\)"),
        ("Wh", (3,), r"\(hidden, \d\*hidden\)"),
        ("b", (7,), r"\(\d+,\)"),
        ("h0", (2, 3), r"\(3, 3\)"),
        ("lengths", (2,), r"\(3,\)"),
    ],
)
def test_forward_names_the_argument_its_shape_and_the_shape_wanted(cell, name, shape, wanted):
    arguments = problem(cell) | {name: np.ones(shape, dtype=np.int64)}
    got = str(shape).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(
        ValueError, match=f"^{cell.function}_forward: {name} has shape {got}; wanted {wanted}$"
    ):
        cell.forward(reference)(**arguments)


@every_reference_cell
def test_forward_refuses_what_is_no_number_and_lengths_out_of_range(cell):
    forward, arguments = cell.forward(reference), problem(cell)
    with pytest.raises(TypeError, match=r"Wx has dtype object; wanted real numbers"):
        forward(**arguments | {"Wx": None})
    with pytest.raises(TypeError, match=r"x has dtype complex128; wanted real numbers"):
        forward(**arguments | {"x": arguments["x"] * 1j})
    with pytest.raises(TypeError, match=r"lengths has dtype float64; wanted integers"):
        forward(**arguments | {"lengths": [4.0, 2.0, 1.0]})
    for lengths in ([4, -1, 1], [5, 1, 1]):
        with pytest.raises(ValueError, match=r"lengths is \[.*\]; wanted each in 0\.\.4"):
            forward(**arguments | {"lengths": lengths})


@every_reference_cell
def test_backward_refuses_wrong_shapes_and_other_caches(cell):
    _, _, cache = run(cell, problem(cell))
    where = f"{cell.function}_backward"
    with pytest.raises(ValueError, match=rf"^{where}: dh has shape \(3, 3\); wanted \(3, 4, 3\)$"):
        backward(cell, np.zeros((3, 3)), cache)
    with pytest.raises(ValueError, match=rf"^{where}: dhT has shape \(3,\); wanted \(3, 3\)$"):
        backward(cell, None, cache, dhT=np.zeros(3))
    other = REFERENCE_CELLS["gru" if cell.function == "lstm" else "lstm"]
    for wrong in (run(other, problem(other))[2], None):
        with pytest.raises(TypeError, match=rf"^{where}: cache .* {cell.function}_forward$"):
            backward(cell, None, wrong)


def test_rnn_refuses_an_unknown_activation():
    arguments = problem(REFERENCE_CELLS["rnn-tanh"]) | {"activation": "sigmoid"}
    with pytest.raises(ValueError, match=r"activation is 'sigmoid'; wanted \"tanh\" or \"relu\""):
        reference.rnn_forward(**arguments)


REFUSED = [
    ("lstm", {"clip": 0.0}, ValueError, r"clip is 0\.0"),
    ("lstm", {"clip": -1}, ValueError, r"clip is -1"),
    ("lstm", {"clip": math.inf}, ValueError, r"clip is inf"),
    ("lstm", {"clip": math.nan}, ValueError, r"clip is nan"),
    ("lstm", {"clip": "1"}, TypeError, r"clip is '1'"),
    ("lstm", {"clip": True}, TypeError, r"clip is True"),
    ("lstm", {"clip": [1.0]}, TypeError, r"clip is \[1\.0\]"),
    ("lstm", {"peephole": np.zeros(12)}, ValueError, r"peephole has shape \(12,\); wanted \(9,\)"),
    ("lstm", {"peephole": np.zeros((3, 3))}, ValueError, r"peephole has shape \(3, 3\)"),
    ("lstm", {"peephole": ["p"] * 9}, TypeError, r"peephole h"),
    ("gru", {"reset_after": None}, TypeError, r"reset_after is None"),
    ("gru", {"reset_after": 0}, TypeError, r"reset_after is 0"),
]


@pytest.mark.parametrize("module", [reference, functional], ids=["reference", "functional"])
@pytest.mark.parametrize(("name", "keywords", "error", "message"), REFUSED)
def test_keywords_are_refused_by_name(module, name, keywords, error, message):
    cell = REFERENCE_CELLS[name]
    with pytest.raises(error, match=f"^{name}_forward: {message}"):
        getattr(module, f"{name}_forward")(**problem(cell) | keywords)


def test_dense_refuses_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"dense_forward: x has shape \(2, 4\); wanted \(2, 3\)"):
        reference.dense_forward(np.ones((2, 4)), np.ones((3, 5)), np.ones(5))
    with pytest.raises(ValueError, match=r"dense_forward: b has shape \(4,\); wanted \(5,\)"):
        reference.dense_forward(np.ones((2, 3)), np.ones((3, 5)), np.ones(4))
    with pytest.raises(ValueError, match=r"dense_backward: dy has shape \(5,\); wanted \(2, 5\)"):
        reference.dense_backward(np.ones(5), np.ones((2, 3)), np.ones((3, 5)))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 1, 2], ValueError, r"labels has shape \(3,\); wanted \(2,\)"),
        ([0, 3], ValueError, r"labels has values outside 0\.\.2"),
        ([-1, 0], ValueError, r"labels has values outside 0\.\.2"),
        ([0.0, 1.0], TypeError, r"labels has dtype float64; wanted integers"),
        (np.ones((2, 2)), ValueError, r"labels has shape \(2, 2\); wanted \(2, 3\)"),
        (np.ones((2, 3)), ValueError, r"rows that are not one-hot"),
        ([[2, -1, 0], [0, 0, 1]], ValueError, r"rows that are not one-hot"),
    ],
)
def test_cross_entropy_refuses_bad_labels(labels, error, message):
    with pytest.raises(error, match=f"softmax_cross_entropy: .*{message}"):
        reference.softmax_cross_entropy(np.zeros((2, 3)), labels)


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (2, 0), (1, 2, 3, 4)])
def test_cross_entropy_refuses_bad_logits(shape):
    with pytest.raises(ValueError, match=r"softmax_cross_entropy: logits has shape .*; wanted"):
        reference.softmax_cross_entropy(np.zeros(shape), [0])


def test_adam_refuses_what_it_cannot_update():
    p = np.ones(2)
    with pytest.raises(ValueError, match=r"adam_step: g has shape \(3,\); wanted \(2,\)"):
        reference.adam_step(p, np.ones(3), np.zeros(2), np.zeros(2), 1)
    with pytest.raises(ValueError, match=r"adam_step: t is 0; wanted .* from 1"):
        reference.adam_step(p, np.ones(2), np.zeros(2), np.zeros(2), 0)
    with pytest.raises(TypeError, match=r"adam_step: m is of type list; wanted an array"):
        reference.adam_step(p, np.ones(2), [0.0, 0.0], np.zeros(2), 1)
    np.testing.assert_array_equal(p, 1.0)
