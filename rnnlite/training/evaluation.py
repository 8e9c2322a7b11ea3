"""What a trained model is worth, and what it answers: in batches, without a backward pass."""

import math
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.layers import Layer
from rnnlite.padding import as_array
from rnnlite.training import agreement
from rnnlite.training.batches import source_of
from rnnlite.training.counters import RunningTotals
from rnnlite.training.divergence import bad_data
from rnnlite.training.objective import Outcome, objective_for
from rnnlite.training.one_process import OneProcess, team_of


class Metrics(NamedTuple):
    """Result of ``evaluate``.

    Attributes
    ----------
    loss : float
        Mean over all rows or steps that count, with the weights that the loss gives them: the same
        at any batch size.
    accuracy : float or None
        Share of right answers among those that count, which do not include what a mask or a weight
        of 0 leaves out of the loss.  None where there is no right or wrong, or where a loss of
        one's own leaves out answers and does not say which (docs/layers.md).

    Examples
    --------
    >>> loss, accuracy = Metrics(loss=0.25, accuracy=0.9)
    """

    loss: float
    accuracy: float | None


def evaluate(model, x, y=None, *, lengths=None, loss=None, batch_size=256, comm=None):
    """Loss and accuracy of a model on data.

    Parameters
    ----------
    model : Layer
    x : array_like (n, T, ...), or iterable of batches (x, y) or (x, y, lengths)
    y : array_like (n, ...), optional
        Classes (n,), one-hot rows or values; (n, T, ...) where the model answers at every step.
        Left out if x is an iterable of batches.
    lengths : array_like of int (n,), optional
        Valid steps of each row; padding does not count.
    loss : str or callable, optional
        As for ``fit``.
    batch_size : int
        Rows computed at once.
    comm : mpi4py.MPI.Comm, optional
        Processes that share the batches; each gets the result, with the bits of a single process.

    Returns
    -------
    Metrics

    Examples
    --------
    >>> from rnnlite import RNN, Dense, Sequential
    >>> model = Sequential([RNN(2, 4, seed=0), Dense(4, 2, seed=1)])
    >>> metrics = evaluate(model, np.zeros((3, 5, 2), "float32"), [0, 0, 1])
    >>> round(metrics.accuracy, 4)
    0.6667
    """
    where = "evaluate"
    with team_of(where, comm) as team:
        check_model(where, model)
        batch_size = checking.whole_number(where, "batch_size", batch_size)
        source = source_of(where, model, x, y, lengths, batch_size)
        told = {"batches": str(source.batches), "batch_size": str(batch_size)}
        team.compare(where, lambda: agreement.facts_of_model(model) | told)
        return evaluate_source(where, model, source, loss, team)


def evaluate_source(where, model, source, loss, team=None):
    """``evaluate`` once the batches are at hand, which the processes of a team share."""
    objective, outcomes, team = None, [], OneProcess() if team is None else team
    with team.compiling():
        for number, batch in enumerate(source.epoch(0)):
            is_own = number % team.processes == team.process
            if not is_own and objective is not None:
                continue
            output = model(batch.x, lengths=batch.lengths)
            if objective is None:
                objective = objective_for(where, loss, output, batch, source)
            outcome = objective(output, batch.y, batch.lengths, batch.weights)
            if not math.isfinite(outcome.loss) and (blame := bad_data(where, batch)):
                raise blame
            if is_own:
                outcomes.append((number, *outcome._replace(doutput=None)))
    counts = objective is not None and objective.counts_right_answers
    told, totals = team.share("an evaluation", (outcomes, counts)), RunningTotals()
    for _, *outcome in sorted((of for outcomes, _ in told for of in outcomes), key=itemgetter(0)):
        totals.add(Outcome(*outcome))
    if objective is not None and not all(counts for _, counts in told):
        objective.counts_right_answers = False
    if objective is None:
        raise ValueError(f"{where}: there is no batch to evaluate")
    if not totals.counted:
        why = "all of it is left out by lengths, by the loss's mask or by weights of 0"
        raise ValueError(f"{where}: nothing counts for loss {objective.name}: {why}")
    accuracy = totals.accuracy() if objective.counts_right_answers else math.nan
    return Metrics(totals.mean_loss(), None if math.isnan(accuracy) else accuracy)


def predict_values(model, x, *, lengths=None, batch_size=256, comm=None):
    """Scores or forecasts of a model, (n, C) or (n, T, C); arguments as in ``evaluate``.

    Examples
    --------
    >>> from rnnlite import RNN
    >>> predict_values(RNN(2, 4, seed=0), np.zeros((5, 6, 2), "float32")).shape
    (5, 4)
    """
    return _outputs("predict_values", model, x, lengths, batch_size, comm)


def predict(model, x, *, lengths=None, batch_size=256, comm=None):
    """The class of each row, or of each step; arguments as in ``evaluate``.

    Returns int64 (n,) or (n, T): the class of the highest score, or for a single output, the score
    of yes, 1 where it is above 0, else 0; -1 at padded steps.

    Examples
    --------
    >>> from rnnlite import Dense
    >>> predict(Dense(2, 2, seed=0), np.zeros((3, 2), "float32"))
    array([0, 0, 0])
    """
    x, lengths = as_array("predict", "x", x, lengths)
    scores = _outputs("predict", model, x, lengths, batch_size, comm)
    classes = scores.argmax(axis=-1) if scores.shape[-1] > 1 else scores[..., 0] > 0
    classes, nothing = classes.astype(np.int64), np.isnan(scores).any(axis=-1)
    if lengths is not None and classes.ndim == 2:
        padding = _padding(lengths, classes.shape[1])
        classes[padding], nothing[padding] = -1, False
    if nothing.any():
        which = f"the scores of row {np.argwhere(nothing)[0, 0]} are nan, which is no class"
        raise ValueError(f"predict: {which}; x or the model's weights are not finite")
    return classes


def predict_proba(model, x, *, lengths=None, batch_size=256, comm=None):
    """The probability of each class: the softmax of the scores; arguments as in ``evaluate``.

    Of a single output, the score of yes, the sigmoid.  Returns (n, C) or (n, T, C), 0 at padded
    steps.

    Examples
    --------
    >>> from rnnlite import Dense
    >>> predict_proba(Dense(2, 2, seed=0), np.zeros((1, 2), "float32"))
    array([[0.5, 0.5]], dtype=float32)
    """
    x, lengths = as_array("predict_proba", "x", x, lengths)
    scores = _outputs("predict_proba", model, x, lengths, batch_size, comm)
    if scores.shape[-1] == 1:
        positive = np.exp(-np.abs(scores))  # never overflows
        probability = np.where(scores > 0, 1, positive) / (1 + positive)
    else:
        probability = np.exp(scores - scores.max(axis=-1, keepdims=True))
        probability /= probability.sum(axis=-1, keepdims=True)
    if lengths is not None and scores.ndim == 3:
        probability[_padding(lengths, scores.shape[1])] = 0
    return probability


def accuracy_interval(accuracy, n, z=1.96):
    """Where the true accuracy probably lies, given that of a sample of rows.

        (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)

    Wilson 1927: unlike p ± z √(p(1-p)/n) it is right near 1 too.

    Parameters
    ----------
    accuracy, n : float, int
        Share of right answers, and rows that were tried.
    z : float
        Width in standard deviations; 1.96 for 95 %.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> [round(bound, 3) for bound in accuracy_interval(126 / 128, 128)]
    [0.945, 0.996]
    """
    where = "accuracy_interval"
    p = checking.real_number(where, "accuracy", accuracy, 0.0, 1.0)
    n = checking.whole_number(where, "n", n)
    z = checking.real_number(where, "z", z, 0.0, 100.0)
    middle = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def check_model(where, model):
    """Refuse what is not a layer of this library."""
    if not isinstance(model, Layer):
        kind = type(model).__name__
        raise TypeError(f"{where}: model is of type {kind}; wanted a layer or a Sequential")


def _outputs(where, model, x, lengths, batch_size, comm):
    """All outputs of a model, in one array; the processes of ``comm`` share the batches."""
    with team_of(where, comm) as team:
        check_model(where, model)
        batch_size = checking.whole_number(where, "batch_size", batch_size)
        x, lengths = as_array(where, "x", x, lengths)
        x = checking.real_array(where, "x", x)
        n = len(x) if x.ndim else 0
        told = {"x": f"of shape {x.shape}", "batch_size": str(batch_size)}
        team.compare(where, lambda: agreement.facts_of_model(model) | told)
        if x.ndim > 1 and n == 0:  # an empty answer, in the shape of the model's
            return model(x, lengths=lengths)
        source = source_of(where, model, x, np.zeros(n, np.int64), lengths, batch_size)
        outputs = None
        with team.compiling():
            for number, batch in enumerate(source.epoch(0)):
                is_own = number % team.processes == team.process
                if is_own or outputs is None:
                    output = model(batch.x, lengths=batch.lengths)
                if outputs is None:
                    outputs = np.empty((n, *output.shape[1:]), output.dtype)
                if is_own:
                    outputs[batch.rows] = output
        return outputs if team.processes == 1 else _gathered(team, outputs, batch_size)


def _gathered(team, outputs, batch_size):
    """Outputs with the batches that other processes computed filled in."""
    of_batch = np.arange(len(outputs)) // batch_size % team.processes
    rows = outputs.reshape(len(outputs), -1)
    own = np.ascontiguousarray(rows[of_batch == team.process]).view(np.uint8)
    rows[np.argsort(of_batch, kind="stable")] = team.gather("outputs", own).view(rows.dtype)
    return outputs


def _padding(lengths, T):
    return np.arange(T) >= np.asarray(lengths)[:, None]
