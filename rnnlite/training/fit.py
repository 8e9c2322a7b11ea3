"""fit: train a model on data."""

from rnnlite import checking
from rnnlite.optim import Adam, Optimizer
from rnnlite.training.batches import Batch, source_of
from rnnlite.training.callbacks import Call, Callback, EarlyStopping
from rnnlite.training.checkpoint import Checkpoint
from rnnlite.training.evaluation import check_model
from rnnlite.training.history import COLUMNS
from rnnlite.training.objective import PIECE, tried
from rnnlite.training.one_process import team_of
from rnnlite.training.run import Run, Settings, steps_before
from rnnlite.training.weights import of_classes


def fit(
    model, x, y=None, *, optimizer=None, epochs=None, steps=None, batch_size=128, lengths=None,
    loss=None, class_weight=None, sample_weight=None, validation=None, validation_split=None,
    shuffle=True, seed=0, augment=None, schedule=None, clip_norm=None,
    average=None, early_stopping=None, callbacks=(), record_every=None, progress=None,
    checkpoint=None, checkpoint_every=None, resume=False, chunks=None, comm=None,
):  # fmt: skip
    """Train a model: for each batch forward, loss, backward, and a step of the optimizer.

    Parameters
    ----------
    model : Layer
        Usually a Sequential whose last layer has an output for each class.
    x : array_like (n, T, ...), or iterable of batches, or function of the epoch returning one
        Sequences; a ``numpy.memmap`` is read batch by batch.  Batches are tuples (x, y) or
        (x, y, lengths); a function is called with the number of each epoch, from 0.
    y : array_like (n, ...), optional
        Class numbers (n,), one-hot or soft labels (n, C) or values (n, F), of a single output also
        (n,); with T as second axis if the model answers at every step.
    optimizer : Optimizer, optional
        Of this model; ``Adam(model)`` if not given.
    epochs, steps : int, optional
        How long: passes over the data, or training steps.  One epoch if neither is given.
    batch_size : int
        Rows in a step; the last batch of an epoch may be shorter.
    lengths : array_like of int (n,), optional
        Valid steps of each row; padding takes no part in anything.
    loss : {"softmax_cross_entropy", "mean_squared_error", "binary_cross_entropy"} or callable
        A callable of one's own takes ``(output, y, *, lengths=None)`` and returns a number, its
        gradient in the shape of the output and, if it likes, what each answer weighs
        (docs/layers.md); a ``functools.partial`` of the library's will do.  By default, padding
        apart: the softmax cross-entropy for class numbers and for rows that sum to 1 (one-hot,
        soft labels), the binary one if all of y is 0 or 1 (a single output; several classes at
        once), the squared error for other values.  With class numbers the accuracy is recorded
        whatever the loss is, as long as it is known which answers the loss leaves out.
    class_weight : dict from class to number, or array_like (C,), optional
        How much the rows or steps of each class count in training, not negative; 1 for a class
        that a dict leaves out.  Of a single output the classes are 0 and 1.  A soft label has the
        mean of its classes' weights.
    sample_weight : array_like (n,) or (n, T), optional
        How much each row or step counts, times the weight of its class.  A batch's loss is the
        sum of weight times loss, divided by the sum of weights; the accuracy leaves out what
        weighs 0, and counts the rest alike.
    validation : tuple (x, y) or (x, y, lengths), optional
        Data to evaluate at each record, never trained on, without weights of classes.
    validation_split : float, optional
        Instead: the share of x and y, between 0 and 1, to be set aside: the last rows as they
        come, before any shuffling, rounded up.  Shuffle first what is sorted.
    shuffle : bool
        Whether each epoch sees the rows of arrays in a new order.
    seed : int
        Of the order and of ``augment``, together with the steps that the optimizer has taken: a
        further call goes on with new orders, the same in each run of a program.  Everything
        random in the model has seeds of its own.
    augment : callable, optional
        ``augment(x, rng) -> x``, applied to each training batch of arrays.
    schedule : callable, optional
        From the step, counted from 0, to the step size; see ``rnnlite.schedules``.
    clip_norm : float, optional
        Largest common norm of the gradients; see ``clip_gradients``.
    average : float, optional
        Memory of a moving average of the weights (Polyak & Juditsky 1992), as 0.999, which is what
        validation sees and what the model has in the end.  Step n keeps the share
        min(average, n / (n + 9)) of it, so that the initial weights are soon forgotten.
    early_stopping : int or EarlyStopping, optional
        Stop after so many records without a lower validation loss, and restore the best weights.
    callbacks : sequence of Callback, or functions of the Run called at each record
    record_every : int, optional
        Steps between two records of the history (and validations); by default one an epoch.
    progress : bool, optional
        False for silence, True for a live bar; by default a bar on a terminal, and everywhere,
        in notebooks and log files too, a line for each record, on the standard error stream.
    checkpoint : str or os.PathLike, optional
        File for all that the rest of the run depends on.  The one before it is kept too; see
        ``rnnlite.saving``.
    checkpoint_every : int, optional
        Steps between two checkpoints; by default one at each record and every 30 seconds.
    resume : bool
        Go on from ``checkpoint``, if it is there.  The run ends with the weights, bit for bit, with
        which it would have ended without the break.  All but ``epochs`` and ``steps`` must be as it
        was; an iterable that can run only once must begin at its beginning again.
    chunks : int, optional
        Compute each batch in so many chunks, whose gradients are added along a fixed tree: a run
        has the same bits in one process and in any number of them, up to ``chunks``.  8 with
        ``comm`` if not given, else whole batches, of other bits.  A loss of one's own must be a
        mean, weighed as docs/layers.md says; ``augment`` is called once a chunk.
    comm : mpi4py.MPI.Comm, optional
        Processes that share the chunks of each batch, as ``MPI.COMM_WORLD``, all of which call
        ``fit`` with the same model, data and settings; see docs/many_machines.md.  The first one
        prints and writes the checkpoint.

    Returns
    -------
    History
        A dict of lists: ``epoch``, ``step``, ``loss``, ``accuracy``, ...  Ctrl-C ends training
        after the current step, saves the checkpoint and returns what there is.

    Raises
    ------
    ValueError, TypeError
        Arguments do not fit together, data are not finite, or a checkpoint is of another run.
    TrainingDiverged
        The loss or a gradient is NaN or infinite; it names the step and the layer.
    rnnlite.distributed.ProcessFailed
        Another process of ``comm`` raised an error, which it tells.
    FileExistsError, OSError
        There is a checkpoint that would be lost, as ``resume`` is False; or it cannot be written,
        and the older one is intact.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnlite import LSTM, Dense, Sequential
    >>> x = np.random.default_rng(0).normal(size=(200, 6, 1)).astype("float32")
    >>> y = (x.sum(axis=(1, 2)) > 0).astype(int)
    >>> model = Sequential([LSTM(1, 8, seed=0), Dense(8, 2, seed=1)])
    >>> history = fit(model, x, y, epochs=20, batch_size=20, schedule=lambda step: 0.01)
    >>> history["accuracy"][-1] > 0.9
    True
    """
    told = {name: value for name, value in locals().items() if name != "comm"}
    where = "fit"
    with team_of(where, comm) as team:
        with team.compiling():
            run, file = _prepared(where, team, **told)
        try:
            return run.train(file, progress)
        finally:
            if optimizer is None:
                steps_before[model] = run.counters.taken + run.counters.batch


def _prepared(
    where, team, model, x, y, optimizer, epochs, steps, batch_size, lengths, loss, class_weight,
    sample_weight, validation, validation_split, shuffle, seed, augment, schedule, clip_norm,
    average, early_stopping, callbacks, record_every, progress, checkpoint, checkpoint_every,
    resume, chunks,
):  # fmt: skip
    """The run that ``fit`` was told of, all of it checked, and its file or None."""
    check_model(where, model)
    is_own, optimizer = optimizer is None, Adam(model) if optimizer is None else optimizer
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{where}: optimizer is {optimizer!r}; wanted an Optimizer, as Adam(model)")
    if optimizer.model is not model:
        raise ValueError(f"{where}: optimizer belongs to another model; wanted Adam(model)")
    batch_size = checking.whole_number(where, "batch_size", batch_size)
    seed = checking.whole_number(where, "seed", seed, 0, most=None)
    resume = checking.true_or_false(where, "resume", resume)
    if progress is not None:
        progress = checking.true_or_false(where, "progress", progress)
    shuffle = checking.true_or_false(where, "shuffle", shuffle)
    for name, function in (("schedule", schedule), ("augment", augment)):
        if function is not None and not callable(function):
            raise TypeError(f"{where}: {name} is {function!r}; it must be callable")
    if clip_norm is not None:
        limits = {"low": 0.0, "high": 1e30, "low_included": False}
        clip_norm = checking.real_number(where, "clip_norm", clip_norm, **limits)
    if average is not None:
        average = checking.real_number(where, "average", average, 0.0, 1.0, high_included=False)

    order = {"shuffle": shuffle, "seed": seed, "augment": augment, "weights": sample_weight}
    warned = model if team.is_first else None
    source = source_of(where, warned, x, y, lengths, batch_size, **order)
    checked_validation = _validation(where, warned, validation, batch_size)
    if validation_split is not None:
        limits = {"low": 0.0, "high": 1.0, "low_included": False, "high_included": False}
        name = "validation_split"
        validation_split = checking.real_number(where, name, validation_split, **limits)
        if validation is not None:
            raise ValueError(f"{where}: validation and validation_split are given; wanted one")
        if source.rows is None:
            raise ValueError(f"{where}: validation_split belongs to arrays x and y")
        source, checked_validation = source.split(validation_split)
    epochs, steps = _how_long(where, source, epochs, steps)
    objective = None if source.rows is None else _tried(where, model, loss, source, class_weight)
    if class_weight is not None and source.rows is None:
        hint = "give a loss that weighs"
        raise ValueError(f"{where}: class_weight belongs to arrays x and y; {hint}")
    if checked_validation is not None and checked_validation.rows is not None:
        known = loss if objective is None else objective.function
        _check_validation(f"{where}: validation", model, known, checked_validation)
    settings = Settings(
        epochs, steps, schedule, clip_norm, average,
        early_stopping=_early_stopping(where, early_stopping, checked_validation),
        callbacks=_callbacks(where, callbacks),
        record_every=_optional_count(where, "record_every", record_every),
        loss=loss, class_weight=class_weight, validation_split=validation_split,
        chunks=team.chunks(where, _optional_count(where, "chunks", chunks)),
    )  # fmt: skip
    file = None
    if checkpoint is not None:
        every = _optional_count(where, "checkpoint_every", checkpoint_every)
        file = Checkpoint(where, checkpoint, every, resume)
    elif checkpoint_every is not None or resume:
        name = "resume" if resume else "checkpoint_every"
        raise ValueError(f"{where}: {name} is given without checkpoint, the file's path")
    run = Run(model, optimizer, source, checked_validation, objective, settings, team)
    if is_own:
        run.counters.taken = steps_before.get(model, 0)
    return run, file


def _how_long(where, source, epochs, steps):
    """Epochs and steps as numbers, one of them None."""
    if epochs is not None and steps is not None:
        raise ValueError(f"{where}: epochs is {epochs} and steps is {steps}; give one of them")
    if steps is not None:
        return None, checking.whole_number(where, "steps", steps)
    epochs = 1 if epochs is None else checking.whole_number(where, "epochs", epochs)
    if source.rows is None and epochs > 1 and not source.can_start_anew:
        got = f"x is an iterator, which runs once, and epochs is {epochs}"
        hint = "give steps, or as x a function of the epoch that returns a new iterator"
        raise ValueError(f"{where}: {got}; {hint}")
    return epochs, None


def _validation(where, model, validation, batch_size):
    """The validation data as a source of batches."""
    if validation is None:
        return None
    if not isinstance(validation, (tuple, list)) or len(validation) not in (2, 3):
        got = f"validation is of type {type(validation).__name__}"
        raise TypeError(f"{where}: {got}; wanted a tuple (x, y) or (x, y, lengths)")
    x, y, lengths = (*validation, None)[:3]
    return source_of(f"{where}: validation", model, x, y, lengths, max(batch_size, 256))


def _tried(where, model, loss, source, class_weight=None, call_all=False):
    """The objective, tried on the first rows: what does not fit is found before training."""
    _check_indices(where, model, source)
    few = slice(0, source.batch_size if callable(loss) else 1)
    lengths = None if source.lengths is None else source.lengths[few]
    output = model(source.x[few], lengths=lengths)
    if source.weights is not None and source.weights.ndim >= output.ndim:
        got, wanted = f"sample_weight has shape {source.weights.shape}", f"({source.rows},)"
        raise ValueError(f"{where}: {got}; wanted {wanted}, as the model answers once a row")
    if class_weight is not None:
        shape = (source.rows, *output.shape[1:])
        source.weigh(of_classes(where, class_weight, source.y, shape, source.lengths))
    if source.weights is not None and not source.weights.any():
        raise ValueError(f"{where}: every row weighs 0; nothing would ever count")
    weights = None if source.weights is None else source.weights[few]
    batch = Batch(source.x[few], source.y[few], lengths, weights)
    objective = tried(where, loss, output, batch, source, call_all)
    if class_weight is not None:
        _check_has_classes(where, objective, source.y, output)
    return objective


def _check_has_classes(where, objective, y, output):
    """That each answer is one class, whose weight it can have."""
    is_one = output.shape[-1] == 1 if objective.in_halves else y.dtype.kind in "iu"
    if not (objective.in_classes or (is_one and objective.counts_right_answers)):
        got = f"loss {objective.name} has values of shape {y.shape[1:]} in each row"
        raise ValueError(f"{where}: class_weight is for labels of classes; {got}")
    options = getattr(objective.function, "keywords", {})
    if "class_weights" in options or "weights" in options:
        raise ValueError(f"{where}: class_weight is given, and loss has weights of its own")


def _check_indices(where, model, source):
    """All indices for a table, before the first step: a bad one in the last batch is found now."""
    if model.takes_indices and source.augment is None:
        for start in range(0, source.rows, PIECE):
            rows = slice(start, start + PIECE)
            lengths = None if source.lengths is None else source.lengths[rows]
            model.check_indices(where, source.x[rows], lengths)


def _check_validation(where, model, loss, source):
    """Find now, not after an epoch, that validation data do not fit."""
    try:
        _tried(where, model, loss, source, call_all=True)
    except (TypeError, ValueError) as error:
        if str(error).startswith(where):
            raise
        raise ValueError(f"{where}: {error}") from None


def _early_stopping(where, value, validation):
    if value is None:
        return None
    if not isinstance(value, EarlyStopping):
        value = EarlyStopping(checking.whole_number(where, "early_stopping", value))
    if validation is None and value.monitor.startswith("val_"):
        hint = "give validation=(x, y), or EarlyStopping(..., monitor='loss')"
        raise ValueError(f"{where}: early_stopping watches {value.monitor!r}; {hint}")
    if value.monitor not in COLUMNS:
        hint = f"the history has {', '.join(COLUMNS)}"
        raise ValueError(f"{where}: early_stopping watches {value.monitor!r}; {hint}")
    return value


def _callbacks(where, callbacks):
    if isinstance(callbacks, Callback) or not hasattr(callbacks, "__iter__"):
        callbacks = (callbacks,)
    result = []
    for callback in checking.sequence(where, "callbacks", callbacks, "a sequence of Callbacks"):
        if isinstance(callback, type) or not (isinstance(callback, Callback) or callable(callback)):
            wanted = "a Callback, or a function of the Run"
            raise TypeError(f"{where}: callbacks[{len(result)}] is {callback!r}; wanted {wanted}")
        result.append(callback if isinstance(callback, Callback) else Call(callback))
    return result


def _optional_count(where, name, value):
    return None if value is None else checking.whole_number(where, name, value)
