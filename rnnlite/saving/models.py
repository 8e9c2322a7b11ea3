"""save and load: a model in a file.

The header of a file with a model, a checkpoint's too, has the key "model":
its architecture and its random states.  Its weights are the arrays "params/NAME".
"""

from rnnlite.saving import architecture, container, random_states
from rnnlite.saving.index import CorruptFile

KINDS = ("model", "checkpoint")
PREFIX = "params/"


def save(model, path):
    """Write a model into a file: architecture, weights, dtype, random states.

    Parameters
    ----------
    model : Layer
        Of the library, a single one too.
    path : str or os.PathLike
        Taken as it is, in a folder that exists.  ``.npz`` suits: ``numpy.load``
        reads the weights, under ``"params/0.Wx"``, ....

    Raises
    ------
    OSError
        The file cannot be written; what was there before is as it was.
    TypeError
        For something that is not a layer of the library.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from rnnlite import GRU, Dense, Sequential
    >>> model = Sequential([GRU(28, 64, seed=0), Dense(64, 10, seed=1)])
    >>> x = np.ones((2, 5, 28))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/model.npz")
    ...     bool(np.all(load(f"{folder}/model.npz").forward(x) == model.forward(x)))
    True
    """
    container.write(path, "model", {"model": model_header(model)}, model_arrays(model))


def load(path, into=None, cells=()):
    """Read a model from a file that ``save`` wrote, or from a checkpoint.

    Nothing in the file is run, and nothing is used before all of it is checked.

    Parameters
    ----------
    path : str or os.PathLike
    into : Layer, optional
        A model of the same architecture that gets weights and random states.
    cells : iterable of Cell, optional
        The cells of your own in a new model; the file has only their names.

    Returns
    -------
    Layer
        A new model, or ``into``.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    CorruptFile
        The file is damaged, or is none of a model; a ValueError.
    ValueError
        The model in it cannot be built here, or differs from ``into``, which is
        then as it was.
    TypeError
        If ``into`` or ``cells`` is something else.

    Examples
    --------
    >>> import tempfile
    >>> from rnnlite import LSTM
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(LSTM(3, 4), f"{folder}/lstm.npz")
    ...     load(f"{folder}/lstm.npz")
    LSTM(3, 4)
    """
    _, header, arrays = container.read(path, KINDS)
    try:
        return load_model(header, arrays, into, cells)
    except ValueError as error:
        kind = CorruptFile if isinstance(error, CorruptFile) else ValueError
        raise kind(f"{path}: {error}") from None


def model_header(model):
    """What a file's header has under the key "model".

    Parameters
    ----------
    model : Layer

    Returns
    -------
    dict
        ``architecture`` and ``random_states``.

    Raises
    ------
    TypeError
        For something that is not a layer of the library.
    """
    return {
        "architecture": architecture.describe(model),
        "random_states": random_states.random_states(model),
    }


def model_arrays(model):
    """A model's weights under the names that they have in a file.

    Parameters
    ----------
    model : Layer

    Returns
    -------
    dict of str to numpy.ndarray
        The parameters themselves, not copies.
    """
    return {f"{PREFIX}{name}": array for name, array in model.params.items()}


def load_model(header, arrays, into=None, cells=()):
    """The model in what ``container.read`` returned.

    Parameters
    ----------
    header : dict
        With the key "model"; others do not matter.
    arrays : dict of str to numpy.ndarray
        Those whose names do not begin with "params/" do not matter.
    into, cells
        As in ``load``.

    Returns
    -------
    Layer
        A new model, or ``into``.

    Raises
    ------
    ValueError, TypeError
        As in ``load``.
    """
    part = header.get("model")
    if not isinstance(part, dict) or set(part) != {"architecture", "random_states"}:
        raise CorruptFile("its header does not describe a model")
    weights = {
        name.removeprefix(PREFIX): array
        for name, array in arrays.items()
        if name.startswith(PREFIX)
    }
    if into is None:
        largest = sum(array.size for array in weights.values())
        model = architecture.build(part["architecture"], cells, largest)
    else:
        model = into
        problem = architecture.difference(part["architecture"], architecture.describe(model))
        if problem:
            raise ValueError(f"the model is another than into: {problem}")
    _check_weights(weights, model.params)
    states = random_states.checked_states(model, part["random_states"])
    # From here on nothing can fail: all or nothing is loaded.
    for name, array in model.params.items():
        array[...] = weights[name]
    for layer, state in states:
        layer.load_state_dict(state)
    return model


def _check_weights(weights, params):
    for name in {**params, **weights}:
        if name not in weights or name not in params:
            which = "file" if name in weights else "model"
            raise CorruptFile(f"the weight {name} is only in the {which}")
        found, wanted = weights[name], params[name]
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            raise CorruptFile(
                f"the weight {name} is {found.dtype} {found.shape} in the file; "
                f"wanted {wanted.dtype} {wanted.shape}"
            )
