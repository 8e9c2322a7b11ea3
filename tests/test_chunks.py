"""A batch in chunks, in one process: gradient, masks and bits are those of the whole."""

import mpi_runs
import numpy as np
import pytest
from mpi_program import checkpointed

import rnnlite
from rnnlite import Dense, Dropout, fit
from rnnlite.layers.random_layer import RowDraws
from rnnlite.training.cut import Cut, own_chunks, subtrees


def test_each_row_is_in_one_chunk_and_each_chunk_in_one_process():
    for size, chunks in ((20, 8), (5, 8), (24, 8), (7, 1), (13, 5)):
        cut = Cut(size, chunks, lambda first, last: list(range(first, last)))
        assert [row for part in cut.parts() for row in part] == list(range(size))
        assert all(len(part) - size // chunks in (0, 1) for part in cut.parts())
        for processes in range(1, chunks + 1):
            runs = [own_chunks(process, processes, chunks) for process in range(processes)]
            assert [n for run in runs for n in range(*run)] == list(range(chunks))
            parts = [part for run in runs for part in subtrees(*run, (0, chunks))]
            assert [n for part in parts for n in range(*part)] == list(range(chunks))
    assert subtrees(*own_chunks(1, 4, 8), (0, 8)) == [(2, 4)]  # one message a process


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_draw_what_they_draw_in_the_whole_batch(dtype):
    whole, parts = RowDraws((1, 2, 3)), RowDraws((1, 2, 3))
    wanted = [whole.random((7, 5), dtype) for _ in range(2)]
    assert not np.array_equal(*wanted)
    for first, last in ((0, 1), (1, 4), (4, 7)):
        parts.begin(first)
        for drawn in wanted:
            out = np.empty((last - first, 5), dtype)
            assert np.array_equal(parts.random(dtype=dtype, out=out), drawn[first:last])
    assert not np.array_equal(RowDraws((1, 2, 4)).random((7, 5), dtype), wanted[0])


def test_the_gradient_in_chunks_is_that_of_the_batch_whatever_the_rows_weigh():
    # One step of size 1 down the gradient shows it; the mean of means would be off by a tenth.
    x, y = mpi_runs.data(rows=20)
    weights = np.arange(20.0)
    ends = []
    for chunks in (None, 1, 3, 8, 40):
        model = mpi_runs.small().copy(dtype="float64")
        optimizer = rnnlite.SGD(model, lr=1.0)
        told = {"sample_weight": weights, "class_weight": {1: 3.0}, "batch_size": 20}
        history = fit(model, x, y, optimizer=optimizer, progress=False, chunks=chunks, **told)
        ends.append([*model.flat_params, history["loss"][0], history["grad_norm"][0]])
    np.testing.assert_allclose(ends[1:], [ends[0]] * 4, rtol=1e-5, atol=1e-7)


def test_dropout_in_chunks_does_not_depend_on_their_number_and_goes_on_with_each_step():
    x, y = np.ones((12, 4), "float32"), np.arange(12) % 2
    outputs = []

    class Watched(Dropout):
        def forward_pass(self, x, saved):
            y = super().forward_pass(x, saved)
            outputs.append(y.copy())
            return y

    masks = []
    for chunks in (1, 4):
        outputs.clear()
        model = rnnlite.Sequential([Watched(0.5, seed=0), Dense(4, 2, seed=1)])
        fit(model, x, y, epochs=2, batch_size=12, shuffle=False, progress=False, chunks=chunks)
        masks.append(np.concatenate([out for out in outputs if (out != 1).any()]))
    assert np.array_equal(*masks) and masks[0].shape == (24, 4)
    assert not np.array_equal(masks[0][:12], masks[0][12:])


def test_threads_and_restarts_do_not_change_the_bits(tmp_path):
    whole = checkpointed(None, tmp_path / "whole.npz")
    rnnlite.set_num_threads(2)
    checkpointed(None, tmp_path / "parts.npz", steps=5)
    assert checkpointed(None, tmp_path / "parts.npz") == whole


def test_a_run_with_other_chunks_is_another_run(tmp_path):
    x, y = mpi_runs.data()
    told = {"checkpoint": tmp_path / "run.npz", "progress": False}
    fit(mpi_runs.small(), x, y, chunks=8, **told)
    with pytest.raises(ValueError, match="with chunks = 8; this one has 4"):
        fit(mpi_runs.small(), x, y, chunks=4, resume=True, **told)
    with pytest.raises(ValueError, match="fit: chunks is 0"):
        fit(mpi_runs.small(), x, y, chunks=0)
