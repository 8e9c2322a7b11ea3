"""When numbers stop being numbers: which step, which layer, and what to try."""

import numpy as np


class TrainingDiverged(FloatingPointError):
    """The loss or a gradient is NaN or infinite; the weights are those before that step.

    Attributes
    ----------
    history : History
        What was recorded until then.
    step : int
        The step that was not taken, counted from 1.

    Examples
    --------
    >>> from rnnlite import SGD, Dense, fit
    >>> x, model = np.full((8, 1), 9.0, "float32"), Dense(1, 1, seed=0)
    >>> try:
    ...     history = fit(model, x, x + 1, optimizer=SGD(model, lr=1.0), epochs=99)
    ... except TrainingDiverged as error:
    ...     len(error.history["loss"]) == error.step - 1 > 2
    True
    """

    history = step = None


def explain(model, batches, step, epoch, loss, lr):
    """The error for a step whose loss or gradient is not finite; ``batches()`` are those it saw."""
    at = f"fit: step {step} (epoch {epoch})"
    if blame := next(filter(None, (bad_data(at, batch) for batch in batches())), None):
        return blame
    advice = f"try a smaller learning rate (lr is {lr:g}), clip_norm=1.0, or smaller inputs"
    what = f"the loss is {loss}" if not np.isfinite(loss) else "a gradient is not finite"
    params = [name for name, p in model.params.items() if not np.isfinite(p).all()]
    if params:
        cause = f"params[{params[0]!r}] was not finite even before this step"
    elif np.isfinite(loss):
        cause = f"{_first_bad_gradient(model)}: the gradient exploded on its way back"
    else:
        causes = (_first_bad_layer(model, batch) for batch in batches())
        nowhere = "all outputs are finite, so it comes from the loss function"
        cause = next(filter(None, causes), nowhere)
    return TrainingDiverged(f"{at}: {what}; {cause}; {advice}")


def bad_data(where, batch):
    """The error for data that are not finite."""
    for name in ("x", "y"):
        bad = _first_bad(getattr(batch, name), batch.lengths)
        if bad is not None:
            return ValueError(f"{where}: {name} holds {_place(batch, *bad)}; data must be finite")
    return None


def _first_bad(array, lengths):
    """Position and value of the first entry that is not finite, padding apart."""
    if array.dtype.kind != "f":
        return None
    bad = ~np.isfinite(array)
    if lengths is not None and array.ndim >= 2 and array.shape[1] >= lengths.max():
        valid = np.arange(array.shape[1]) < lengths[:, None]
        bad &= valid.reshape(valid.shape + (1,) * (array.ndim - 2))
    if not bad.any():
        return None
    position = tuple(map(int, np.argwhere(bad)[0]))
    return array[position], position


def _place(batch, value, position):
    """What and where, in words, with the row's number in the whole of the data if it is known."""
    row, *others = position
    if batch.rows is None:
        where = f"row {row} of the batch"
    elif isinstance(batch.rows, slice):
        where = f"row {batch.rows.start + row}"
    else:
        where = f"row {batch.rows[row]}"
    if len(others) == 2:
        where += f", time {others[0]}, feature {others[1]}"
    elif others:
        where += f", position {', '.join(map(str, others))}"
    return f"{value} in {where}"


def _first_bad_gradient(model):
    """The layer nearest to the loss with a gradient that is not finite."""
    bad = [name for name, g in model.grads.items() if not np.isfinite(g).all()]
    if not bad:
        name = max(model.grads, key=lambda name: np.abs(model.grads[name]).max(initial=0.0))
        return f"grads[{name!r}] is so large that its square is not"
    layers = [(key, layer) for key, layer in model.walk() if not layer.layers]
    for key, layer in reversed(layers):
        name = next((name for name in bad if name.rpartition(".")[0] == key), None)
        if name:
            return f"grads[{name!r}] of {_named(key, layer)} is the first"
    return f"grads[{bad[-1]!r}] is the first"


def _first_bad_layer(model, batch):
    """The first layer whose output is not finite, in words; None if there is none."""
    twin, found = model.copy(), []

    def watched(key, layer):
        def run(*arguments):
            y = type(layer)._run(layer, *arguments)
            if not np.isfinite(y).all():
                found.append(_named(key, layer))
            return y

        return run

    for key, layer in twin.walk():
        if not layer.layers:
            vars(layer)["_run"] = watched(key, layer)  # the twin is nobody else's
    twin.infer(batch.x, batch.lengths)
    return f"the first output that is not finite is that of {found[0]}" if found else None


def _named(key, layer):
    return f"layer {key}, {layer!r}" if key else repr(layer)
