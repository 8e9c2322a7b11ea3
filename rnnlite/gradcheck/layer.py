"""Every gradient of a layer or a model."""

import numpy as np

from rnnlite import checking
from rnnlite.gradcheck.differences import STEP, TOLERANCE, check_array, kink
from rnnlite.gradcheck.equations import wrong_equations
from rnnlite.gradcheck.naming import is_float32, named, named_loss, sentences
from rnnlite.gradcheck.report import Report
from rnnlite.gradcheck.runs import recorded
from rnnlite.gradcheck.subject import Subject
from rnnlite.layers import Layer, Recurrent
from rnnlite.losses import softmax_cross_entropy


def check(
    layer, x, labels=None, loss=None, initial_state=None, lengths=None, tolerance=TOLERANCE,
    samples=None, seed=0, name_mistakes=True,
):  # fmt: skip
    """Check every gradient of a layer or model against central differences.

    Without ``labels`` and ``loss``, the loss is a random weighted sum of the output, plus one of
    the final state if there is one: every output takes part.

    Parameters
    ----------
    layer : Layer, or any object with forward, backward, params, grads
        A layer or a model, your own class of them too, is checked as a float64 copy and stays as it
        is. The copy has no ``compute_dtype``: that of rounded products has no derivative that
        differences could find, and what is checked are the equations. The parameters of another
        object must be float64; they are moved and put back. Its ``backward(dy)`` fills ``grads``
        and may return dx.
    x : array_like
        Random numbers are best: at a zero, ReLU has no derivative.
    labels : array_like, optional
        For ``loss``; alone they choose ``softmax_cross_entropy``.
    loss : function ``(output, labels) -> (loss, doutput)``, optional
    initial_state : array or tuple of arrays, for a recurrent layer; random if not given
    lengths : array_like of int (B,), optional
        Valid steps of each row.
    tolerance : float
        Largest relative error that passes.
    samples : int, optional
        Check only so many numbers of each array, chosen at random, which makes large layers
        affordable; all of them if not given.
    seed : int
        Of everything random here.
    name_mistakes : bool
        Whether a check that fails looks for the mistakes that would have given its numbers, which
        takes longer than the check: seconds for a large layer.

    Returns
    -------
    Report
        ``report.passed``, ``report.max_relative_error``; ``str(report)`` is a table.

    Examples
    --------
    >>> from rnnlite.layers import LSTM
    >>> report = check(LSTM(3, 4, seed=0), np.random.default_rng(0).normal(size=(2, 5, 3)))
    >>> report.passed, [array.name for array in report.arrays]
    (True, ['Wx', 'b', 'Wh', 'x', 'h0', 'c0'])
    """
    tolerance = checking.real_number("check", "tolerance", tolerance, 0.0, 1.0, low_included=False)
    if samples is not None:
        samples = checking.whole_number("check", "samples", samples)
    seed = checking.seed("check", seed)
    name_mistakes = checking.true_or_false("check", "name_mistakes", name_mistakes)
    subject = Subject(layer, x, labels, loss, initial_state, lengths, seed)
    rng = np.random.default_rng(seed)
    analytic = subject.gradients()
    recurrent = [part for part in _parts(layer) if isinstance(part, Recurrent)]
    reports, notes = [], []
    for name, array in subject.arrays.items():
        gradient = np.asarray(analytic[name])
        if gradient.shape != array.shape:
            came = f"the gradient of {name} has shape {gradient.shape}"
            raise ValueError(f"check: {came}; wanted {array.shape}, that of {name}")
        report, wrong = check_array(subject.loss, name, array, gradient, tolerance, samples, rng)
        reports.append(report)
        if name == "x" and array.ndim == 3 and len(wrong):
            notes += _wrong_steps(wrong, array.shape, recurrent)
    subject.gradients()  # leave grads as backward made them
    if any(getattr(part, "compute_dtype", None) for part in _parts(layer)):
        notes.append(
            "checked in float64, where products are not rounded to bfloat16: the equations and "
            "their derivatives, not how well the rounded products do"
        )
    report = Report(tuple(reports), tolerance)
    if report.passed:
        return report._replace(notes=tuple(notes))
    for cell in dict.fromkeys(part.cell for part in recurrent):
        notes += wrong_equations(cell, tolerance, seed)
    notes += _no_mistakes(subject, report, analytic)
    mistakes = []
    for key, alternatives in _named(subject, tolerance) if name_mistakes else ():
        notes += sentences(key, alternatives)
        mistakes += [mistake for together in alternatives for mistake in together]
    return report._replace(notes=tuple(notes), mistakes=tuple(dict.fromkeys(mistakes)))


def _parts(layer):
    """All layers in a layer; an object of somebody's own has none."""
    return [part for _, part in layer.walk()] if isinstance(layer, Layer) else []


def _named(subject, tolerance):
    """For the loss and every part of the model, the mistakes that would have given its numbers."""
    function = subject.loss_function
    if function is not None and function is not softmax_cross_entropy:
        output = np.asarray(subject.layer.forward(subject.x, **subject.keywords))
        yield "loss", named_loss(function, output, subject.labels, tolerance)
    for key, run in recorded(subject):
        yield key, named(run)


def _no_mistakes(subject, report, analytic):
    """What makes a right gradient fail: a kink of the loss, numbers of float32."""
    if is_float32(subject.layer.forward(subject.x, **subject.keywords)):
        yield (
            "forward computes in float32, as the digits of its output show: differences at a step "
            f"of {STEP:.0e} are then right to two digits at best; compute in float64"
        )
        return
    for a in report.arrays:
        if a.relative_error <= report.tolerance:
            continue
        slopes = kink(subject.loss, subject.arrays[a.name], a.worst)
        if slopes is not None and min(slopes) - 1e-4 <= a.analytic <= max(slopes) + 1e-4:
            below, above = slopes
            yield (
                f"{a.name}: at {a.worst} the loss has a kink, as ReLU has at zero: its slope is "
                f"{below:+.4g} below and {above:+.4g} above. There is no derivative there, so "
                f"backward's {a.analytic:+.4g} cannot be called wrong; try other numbers"
            )
        if is_float32(analytic[a.name]) and a.relative_error < 1e-4:
            yield (
                f"{a.name}: the gradient is of float32 numbers, right to seven digits at best; "
                "compute in float64"
            )


def _wrong_steps(wrong, shape, recurrent):
    """Where, on the way back through time, the gradient of x leaves the right values."""
    steps = np.unique(np.unravel_index(wrong, shape)[1])
    directions = {layer.go_backwards for layer in recurrent}
    if len(directions) == 2:  # two ways back: none of the steps is the first
        yield f"x: the gradient is wrong at {len(steps)} of {shape[1]} time steps"
        return
    first = int(steps.min() if True in directions else steps.max())
    found = f"(of 0..{shape[1] - 1}; wrong at {len(steps)} of them)"
    yield f"x: going back in time, the gradient is wrong first at time step {first} {found}"
