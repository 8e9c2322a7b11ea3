"""Timing: measure the delay between spikes, or generate spikes with given delays."""

from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.datasets.sequences import streams

LARGEST_ERROR = 0.49


class SpikeTrains(NamedTuple):
    """Trains of spikes, and what is to be said of them or made of them.

    Attributes
    ----------
    x, y : numpy.ndarray (n, T, 1) float32
        Input and target; zero behind the end of a train.
    lengths : numpy.ndarray (n,) int64
        Steps of each train; its last step is its last spike.
    mask : numpy.ndarray (n, T) bool
        Steps at which the target counts, for the losses' ``mask``.

    Examples
    --------
    >>> x, y, lengths, mask = spike_delays(1, spikes=2, seed=0, interval=3)
    >>> print(x[0, :, 0], y[0, :, 0], mask[0].astype(int), sep="\\n")
    [0. 0. 0. 1. 0. 0. 0. 1.]
    [0. 0. 0. 1. 0. 0. 0. 1.]
    [0 0 0 1 0 0 0 1]
    """

    x: np.ndarray
    y: np.ndarray
    lengths: np.ndarray
    mask: np.ndarray


def spike_delays(n, spikes=10, seed=None, *, task="measure", interval=10, delays=(0, 1)):
    """Trains of spikes with random delays, to be measured or to be generated.

    Gers, Schraudolph & Schmidhuber 2002, the tasks "measuring spike delays" and "generating timed
    spikes".  The k-th spike comes F + I(k) steps after the one before, or after the beginning, with
    F = ``interval`` and I(k) drawn from ``delays``.

    - ``"measure"``: the input is 1 at a spike and 0 elsewhere.  The target at each spike is I(k);
      other steps do not count.  With ``spikes=1`` it is the paper's task without a stream.
    - ``"generate"``: input and output change places.  The input is I(k) in all steps of the k-th
      interval, its spike included; the target is 1 at a spike and 0 elsewhere.

    What is hard about it: between spikes nothing happens, so that a network must count steps, one
    more or one less makes the difference, and in a train of spikes the count must begin anew each
    time.  Without counting, the best answer to ``measure`` is the mean of ``delays``, and to
    ``generate`` silence; neither is right once.  Solved means, in the paper, that no error is
    larger than 0.49 (``spikes_correct``) over 100 spikes of a stream in training, and 1,000 in
    test.

    The paper does not write down how the delay is given to ``generate``; that it is held through
    its interval is our reading, and so is that in ``measure`` only spikes count.

    Parameters
    ----------
    n, spikes : int
        Trains, and spikes in each.
    seed : int, optional
        The same seed gives the same trains, and a larger n the same first n.
    task : {"measure", "generate"}
    interval : int
        F; the paper has 10 to 50.
    delays : sequence of int
        What I(k) can be, each equally likely, not negative.

    Returns
    -------
    SpikeTrains
        T is the largest number of steps.

    Examples
    --------
    >>> trains = spike_delays(100, spikes=3, seed=0, interval=49)
    >>> gaps = [gap for train in trains.x for gap in np.diff(np.flatnonzero(train))]
    >>> np.unique(gaps)
    array([49, 50])
    """
    where = "spike_delays"
    n = checking.whole_number(where, "n", n)
    spikes = checking.whole_number(where, "spikes", spikes)
    task = checking.one_of(where, "task", task, ("measure", "generate"))
    interval = checking.whole_number(where, "interval", interval)
    delays = [
        checking.whole_number(where, f"delays[{k}]", delay, 0)
        for k, delay in enumerate(checking.sequence(where, "delays", delays, "whole numbers"))
    ]
    if not delays:
        raise ValueError(f"{where}: delays is empty; wanted at least one whole number")
    (rng,) = streams(where, seed, 1)
    delay = np.array(delays)[rng.integers(0, len(delays), (n, spikes))]
    times = np.cumsum(interval + delay, axis=1) - 1  # of each spike, counted from 0
    lengths = times[:, -1] + 1
    longest = int(lengths.max())
    checking.number_of_numbers(where, n * longest)
    train, given = np.zeros((2, n, longest, 1), np.float32)
    train[np.arange(n)[:, None], times, 0] = 1.0
    valid = np.arange(longest) < lengths[:, None]
    # The interval that a step belongs to: as many as there were spikes before it.
    which = np.minimum(train[..., 0].cumsum(axis=1) - train[..., 0], spikes - 1).astype(np.int64)
    given[..., 0] = np.where(valid, np.take_along_axis(delay, which, axis=1), 0)
    if task == "generate":
        return SpikeTrains(given, train, lengths, valid)
    return SpikeTrains(train, given * train, lengths, train[..., 0] > 0)


def spikes_correct(outputs, y, mask):
    """Whether each train is processed correctly, as Gers, Schraudolph & Schmidhuber 2002 judge.

    That is, at no step that counts an output is off by more than 0.49.

    Parameters
    ----------
    outputs : array_like (n, T, 1)
    y, mask : array_like
        As in ``SpikeTrains``.

    Returns
    -------
    numpy.ndarray (n,) bool

    Raises
    ------
    ValueError
        ``outputs`` has not three axes, or ``y`` or ``mask`` does not fit them.
    TypeError
        Something else than real numbers.

    Examples
    --------
    >>> trains = spike_delays(5, seed=0)
    >>> spikes_correct(trains.y + 0.4, trains.y, trains.mask).all()
    np.True_
    """
    where = "spikes_correct"
    outputs = checking.dimensions(where, "outputs", outputs, 3, "(trains, time, 1)")
    y = checking.shaped(where, "y", y, outputs.shape, "as outputs", np.float64)
    mask = checking.shaped(where, "mask", mask, outputs.shape[:2], "(trains, time)", bool)
    right = (abs(outputs - y) <= LARGEST_ERROR).all(axis=-1)
    return np.all(right | ~mask, axis=1)
