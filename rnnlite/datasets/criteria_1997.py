"""What counts as right, and as solved, in experiments 2 to 6 of Hochreiter & Schmidhuber 1997."""

from typing import NamedTuple

import numpy as np

from rnnlite import checking


class Criterion(NamedTuple):
    """A row of table 11, with the text of its section."""

    tolerance: float  # ABS(tolerance): a sequence is right if all its absolute errors are below
    sequences: int  # how many are looked at
    wrong: int  # how many of them may be wrong
    mean: float  # below which their mean absolute error must be


EXPERIMENTS = {
    "2a": Criterion(0.25, 10_000, 0, np.inf),
    "2b": Criterion(0.25, 10_000, 0, np.inf),
    "2c": Criterion(0.2, 10_000, 0, np.inf),
    "3a": Criterion(0.2, 256, 0, 0.01),
    "3b": Criterion(0.2, 256, 5, 0.04),
    "3c": Criterion(0.1, 256, 0, 0.015),
    "4": Criterion(0.04, 2000, 0, 0.01),
    "5": Criterion(0.04, 2000, 12, np.inf),
    "6a": Criterion(0.3, 2000, 0, 0.1),
    "6b": Criterion(0.3, 2000, 0, 0.1),
}


def experiment_correct(outputs, y, experiment):
    """Whether each sequence is processed correctly, as Hochreiter & Schmidhuber 1997 judge.

    That is, the absolute errors of all outputs are below the tolerance of table 11:

        2a, 2b   0.25    long_lag: at every step in 2a, at the last one in 2b
        2c       0.2     long_lag
        3a, 3b   0.2     two_sequence
        3c       0.1     two_sequence, against ``expected``, the target without noise
        4, 5     0.04    adding_problem(form="1997"), multiplication_problem
        6a, 6b   0.3     temporal_order

    Parameters
    ----------
    outputs : array_like (n, outputs) or (n, T, outputs)
        Between 0 and 1: sigmoids, as in the paper, or probabilities; not logits.  (n, T, outputs)
        where every step counts.
    y : array_like
        (n,) or (n, T) classes, whose target is 1 at the class and 0 elsewhere; or targets in the
        shape of ``outputs``.
    experiment : str
        As in the table above.

    Returns
    -------
    numpy.ndarray (n,) bool

    Raises
    ------
    ValueError
        An ``experiment`` that is not in the table, ``outputs`` without two or three axes, ``y`` of
        a shape that does not fit them, or a class without an output of its own.
    TypeError
        Something else than real numbers; names of classes, which must be numbered.

    Examples
    --------
    >>> experiment_correct([[0.9, 0.1], [0.8, 0.35]], [0, 0], "6a")
    array([ True, False])
    """
    errors, criterion = _errors("experiment_correct", outputs, y, experiment)
    return (errors < criterion.tolerance).all(axis=tuple(range(1, errors.ndim)))


def experiment_solved(outputs, y, experiment):
    """Whether an experiment of Hochreiter & Schmidhuber 1997 is solved, as the paper judges.

    Of so many sequences, so many may be wrong, and their mean absolute error must be below a bound:

        2a, 2b, 2c   10,000 new ones            none
        3a           256 new ones               none           0.01
        3b           256 new ones               5              0.04
        3c           256 new ones               none           0.015
        4            the latest 2,000           none           0.01
        5            the latest 2,000           12
        6a, 6b       the latest 2,000           none           0.1

    "The latest" are those of training, each with the output before it was learned from.  That
    the paper's "average training error" is a mean of absolute errors is our reading: with no
    error above 0.04, a mean of squares is below 0.01 in any case.

    Parameters
    ----------
    outputs, y : array_like
        As in ``experiment_correct``, of as many sequences as the table says.
    experiment : str
        As in the table.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        As ``experiment_correct``, and of another number of sequences than the table's.
    TypeError
        As ``experiment_correct``.

    Examples
    --------
    >>> y = np.zeros((2000, 1))
    >>> experiment_solved(y + 0.005, y, "4"), experiment_solved(y + 0.02, y, "4")
    (True, False)
    """
    where = "experiment_solved"
    errors, criterion = _errors(where, outputs, y, experiment)
    if len(errors) != criterion.sequences:
        wanted = f"experiment {experiment} is judged by {criterion.sequences:,}"
        raise ValueError(f"{where}: outputs are of {len(errors):,} sequences; {wanted}")
    wrong = ~(errors < criterion.tolerance).all(axis=tuple(range(1, errors.ndim)))
    return bool(wrong.sum() <= criterion.wrong and errors.mean() < criterion.mean)


def _errors(where, outputs, y, experiment):
    experiment = checking.one_of(where, "experiment", experiment, tuple(EXPERIMENTS))
    outputs = checking.real_array(where, "outputs", outputs)
    if outputs.ndim not in (2, 3) or 0 in outputs.shape:
        wanted = "wanted (n, outputs) or (n, T, outputs), none of them 0"
        raise ValueError(f"{where}: outputs has shape {outputs.shape}; {wanted}")
    y = checking.labels(where, "y", y)
    classes = y.ndim == outputs.ndim - 1 and y.dtype.kind in "iu"
    y = checking.shaped(
        where, "y", y, outputs.shape[:-1] if classes else outputs.shape,
        "classes or targets of outputs", y.dtype if classes else np.float64,
    )  # fmt: skip
    if not classes:
        return abs(outputs - y), EXPERIMENTS[experiment]
    low, high = y.min(), y.max()
    if low < 0 or high >= outputs.shape[-1]:
        wanted = f"classes lie in 0..{outputs.shape[-1] - 1}, one for each output"
        raise ValueError(f"{where}: y runs from {low} to {high}; {wanted}")
    errors = outputs.astype(np.float64)
    at = y[..., None].astype(np.int64)
    np.put_along_axis(errors, at, np.take_along_axis(errors, at, -1) - 1.0, -1)
    return abs(errors), EXPERIMENTS[experiment]
