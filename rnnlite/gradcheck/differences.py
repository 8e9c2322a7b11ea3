"""One array against central differences."""

import numpy as np

from rnnlite.gradcheck.report import ArrayReport

TOLERANCE = 1e-6
STEP = 1e-5


def check_array(loss, name, array, gradient, tolerance, samples, rng):
    """Compare the ``gradient`` of ``loss()`` by ``array`` with its estimate.

    Returns a report, and the places of wrong numbers.  ``array`` is moved and put back.
    ``samples`` of its numbers are checked, all of them if None.
    """
    places = np.arange(array.size)
    if samples is not None and samples < array.size:
        places = np.sort(rng.choice(array.size, samples, replace=False))
    found = gradient.reshape(-1)[places].astype(np.float64)
    estimate = np.array([_central_difference(loss, array, place, STEP) for place in places])
    scale = max(np.max(np.abs(found)), np.max(np.abs(estimate))) or 1.0
    # A kink (ReLU at 0) within reach of a step spoils that estimate.  A smaller
    # step no longer reaches it; a wrong derivative stays wrong at any step.
    for step in (STEP / 10, STEP / 100):
        for i in np.flatnonzero(~(np.abs(found - estimate) <= tolerance * scale)):
            closer = _central_difference(loss, array, places[i], step)
            if abs(found[i] - closer) < abs(found[i] - estimate[i]):
                estimate[i] = closer
    with np.errstate(invalid="ignore"):  # infinity / infinity: NaN, which does not pass
        error = np.abs(found - estimate) / scale
    wrong = places[~(error <= tolerance)]
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    index = tuple(int(i) for i in np.unravel_index(places[worst], array.shape))
    numbers = float(error[worst]), index, float(found[worst]), float(estimate[worst])
    return ArrayReport(name, array.shape, len(places), *numbers), wrong


def kink(loss, array, index):
    """The slopes of ``loss()`` below and above one number of ``array``, if they differ; or None."""
    below, above = _slopes(loss, array, index, STEP / 10)
    nearer = _slopes(loss, array, index, STEP / 100)
    apart = abs(above - below)
    moved = max(abs(below - nearer[0]), abs(above - nearer[1]))  # a curve, or rounding
    return nearer if apart > 1e-3 * max(abs(above), abs(below)) and apart > 100 * moved else None


def _slopes(loss, array, index, step):
    value, here = array[index], loss()
    try:
        array[index] = value - step
        below = (here - loss()) / (value - array[index])
        array[index] = value + step
        above = (loss() - here) / (array[index] - value)
    finally:
        array[index] = value
    return below, above


def _central_difference(loss, array, place, step):
    index = np.unravel_index(place, array.shape)
    value = array[index]
    try:
        array[index] = value + step
        above, high = array[index], loss()
        array[index] = value - step
        below, low = array[index], loss()
    finally:
        array[index] = value
    # The step that was really made: value + step is rounded.
    return (high - low) / (above - below)
