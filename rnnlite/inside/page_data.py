"""What the page of ``explain`` has to know: the model, examples, and the trace of the first."""

import numpy as np

from rnnlite import checking, losses
from rnnlite.inside import described
from rnnlite.inside.trace import trace
from rnnlite.layers import Dense, Dropout, Embedding, Flatten, Recurrent
from rnnlite.padding import as_array
from rnnlite.training.evaluation import check_model

EXAMPLES = 20  # rows of x that go into the page
# What the page computes, too, and compares: by the names of the library's cells.
COMPARED = {"i", "f", "g", "o", "c", "h", "r", "z", "n"}


def page_data(model, x, labels, lengths, vocabulary, class_names):
    """All that the page has to know."""
    where = "explain"
    check_model(where, model)
    if not any(isinstance(layer, Recurrent) for _, layer in model.walk()):
        raise ValueError(f"{where}: {model!r} has no recurrent layer; there are no steps to show")
    if not np.isfinite(model.flat_params).all():
        raise ValueError(f"{where}: the model has weights that are NaN or infinite")
    x, lengths = as_array(where, "x", x, lengths)
    x = checking.any_array(where, "x", x)
    if x.ndim < 2 or 0 in x.shape:
        raise ValueError(
            f"{where}: x has shape {x.shape}; wanted (batch, time, ...), none of them 0"
        )
    rows, count = len(x), min(len(x), EXAMPLES)
    if lengths is not None:
        lengths = checking.row_lengths(where, lengths, *x.shape[:2])[:count]
        if lengths.min() < 1:
            row = int(lengths.argmin())
            raise ValueError(f"{where}: lengths has 0 in row {row}; wanted at least one step")
    steps = np.full(count, x.shape[1]) if lengths is None else lengths
    cut = [x[n, : steps[n]] for n in range(count)]  # padding may hold anything
    if not all(np.isfinite(row).all() for row in cut):
        raise ValueError(f"{where}: x has NaN or infinite values; wanted numbers")
    # The page has the weights in float32, and computes in float64: so does this.
    twin = model.copy(dtype="float64")
    twin.flat_params = model.flat_params.astype(np.float32)
    first = _as_page_has_it(x[:1, : steps[0]])
    output = trace(twin, first).output  # in the plain engine: no kernel has to be compiled
    if output.ndim not in (2, 3):
        raise ValueError(
            f"{where}: the model's output has shape {output.shape}; wanted 2 or 3 axes"
        )
    C, every = output.shape[-1], output.ndim == 3
    characters = _characters(where, vocabulary, model, x, cut)
    names = _names(where, class_names, C)
    if names is None and characters and C == len(characters):
        names = characters
    targets, classes = _targets(where, labels, x, steps, C, every, rows, characters)
    found, question = _recorded(twin, first, output, targets[0], classes)
    data = {
        "title": repr(model),
        "rows": rows,
        "parameters": model.num_params(),
        "every": every,
        "classes": classes or (labels is None and names is not None),
        "characters": characters,
        "names": names,
        "input": _input(model, cut, characters),
        "examples": [
            {"x": described.packed(row), "target": target}
            for row, target in zip(cut, targets, strict=True)
        ],
        "weights": described.weights(twin),
        "layers": _layers(twin),
        "network": None,
        "reason": None,
        "recorded": _packed(twin, found, question, every),
    }
    recurrent = [layer["key"] for layer in data["layers"]]
    try:
        data["network"] = described.network(model)
        data["recorded"]["layers"] = {key: _compared(found[key]) for key in recurrent}
    except described.CannotRun as reason:
        data["reason"] = str(reason)
        data["recorded"]["all"] = {key: _everything(found[key]) for key in recurrent}
    return data


def _as_page_has_it(x):
    """Numbers in float32, as float64; indices as they are."""
    return x if x.dtype.kind in "iu" else x.astype(np.float32).astype(np.float64)


def _characters(where, vocabulary, model, x, cut):
    """The characters of a vocabulary as a list, or None."""
    if vocabulary is None:
        return None
    characters = getattr(vocabulary, "characters", vocabulary)
    if isinstance(characters, str):
        characters = list(characters)
    characters = checking.sequence(where, "vocabulary", characters, "a Vocabulary or a str")
    for n, character in enumerate(characters):
        if not isinstance(character, str) or len(character) != 1 or character in characters[:n]:
            wanted = "one character each, no character twice"
            raise ValueError(f"{where}: vocabulary has {character!r} at place {n}; wanted {wanted}")
    if not characters:
        raise ValueError(f"{where}: vocabulary is empty; wanted at least one character")
    if model.takes_indices:
        top = max(int(row.max()) for row in cut)
        if top >= len(characters):
            held = f"vocabulary has {len(characters)} characters"
            raise ValueError(f"{where}: {held}, but x has the index {top}")
    elif x.ndim != 3 or x.shape[2] != len(characters) or not _one_hot(np.concatenate(cut)):
        wanted = f"indices, or one-hot vectors (batch, time, {len(characters)}) with one 1 each"
        raise ValueError(
            f"{where}: vocabulary was given, and x has shape {x.shape}; wanted {wanted}"
        )
    return characters


def _one_hot(array):
    return bool(np.all((array == 0) | (array == 1)) and np.all(array.sum(axis=-1) == 1))


def _names(where, class_names, C):
    if class_names is None:
        return None
    if isinstance(class_names, str):
        raise TypeError(f"{where}: class_names is {class_names!r}; wanted a list of {C} names")
    names = checking.sequence(where, "class_names", class_names, f"a list of {C} names")
    if len(names) != C:
        raise ValueError(f"{where}: class_names has {len(names)} names; the model has {C} outputs")
    return [str(name) for name in names]


def _targets(where, labels, x, steps, C, every, rows, characters):
    """For each example a target of each answer (None: it does not count), and if they are classes.

    [7] is the class of a row that has one answer, [[0.5, 0.1]] its values.
    """
    count = len(steps)
    if labels is None:
        if not (every and characters and C == len(characters)):
            return [None] * count, False
        x = x if x.ndim == 2 else x.argmax(axis=-1)  # the next character, but for the last
        following = [[*x[n, 1 : steps[n]].tolist(), None] for n in range(count)]
        return [target if len(target) > 1 else None for target in following], True
    y = checking.real_array(where, "labels", labels)
    answers = (rows, x.shape[1]) if every else (rows,)
    classes = y.shape == answers and y.dtype.kind in "iu"
    if not classes and y.shape != (*answers, C):
        got = f"labels holds {y.dtype} of shape {y.shape}"
        wanted = f"whole numbers of shape {answers} (classes), or shape {(*answers, C)}"
        raise ValueError(f"{where}: {got}; wanted {wanted}")
    cut = [y[n, : steps[n]] if every else y[n : n + 1] for n in range(count)]
    if not classes and C > 1 and all(map(_one_hot, cut)):
        cut, classes = [part.argmax(axis=-1) for part in cut], True
    if classes and not all(0 <= part.min() and part.max() < C for part in cut):
        low, high = min(part.min() for part in cut), max(part.max() for part in cut)
        raise ValueError(f"{where}: labels runs from {low} to {high}; each must lie in 0..{C - 1}")
    if not all(np.isfinite(part).all() for part in cut):
        raise ValueError(f"{where}: labels has NaN or infinite values; wanted numbers")
    return [part.tolist() for part in cut], classes


def _recorded(twin, first, output, target, classes):
    """The trace of the first example, and what it is the derivative of."""
    if target is None:  # the largest score, after the last step
        dy = np.zeros_like(output)
        score = int(output.reshape(-1, output.shape[-1])[-1].argmax())
        dy.reshape(-1, output.shape[-1])[-1, score] = 1.0
        question = {"score": score}
    else:
        question = {"target": target, "classes": classes}
        counted = np.array([label is not None for label in target])
        y = np.array([label if label is not None else 0 for label in target])
        counted, y = (part if output.ndim == 3 else part[0] for part in (counted, y))
        loss = losses.softmax_cross_entropy if classes else losses.mean_squared_error
        mask = {"mask": counted[None]} if classes and output.ndim == 3 else {}
        _, dy = loss(output, y[None], **mask)
    return trace(twin, first, dy=dy), question


def _layers(model):
    """The recurrent layers in the order of the keys: what the page has to know to show them."""
    chain = described.leaves(model)
    found = []
    for key, layer in model.walk():
        if isinstance(layer, Recurrent):
            found.append({
                "key": key, "title": repr(layer), "hidden": layer.hidden_size,
                "gates": list(layer.cell.gates), "states": list(layer.cell.states),
                "backwards": layer.go_backwards, "readout": _readout(chain, key, layer),
            })  # fmt: skip
    return found


def _readout(chain, key, layer):
    """The Dense layer that reads a layer's h directly, and from which of its rows on."""
    keys = [name for name, _ in chain]
    outer = key if key in keys else key.rpartition(".")[0]
    if outer not in keys or len(chain) == 1:
        return None
    place = keys.index(outer)
    for name, other in chain[place + 1 :]:
        if type(other) is Dense:
            mirrored = layer.go_backwards and getattr(chain[place][1], "merge", "") == "concat"
            return {"key": name, "from": layer.hidden_size if mirrored else 0}
        if type(other) is not Dropout:
            break
    return None


def _input(model, cut, characters):
    """What a reader can change in x."""
    found = np.concatenate(cut)
    low, high = float(found.min()), float(found.max())
    if model.takes_indices:
        sizes = [layer.num_embeddings for _, layer in model.walk() if isinstance(layer, Embedding)]
        return {"kind": "indices", "size": min(sizes, default=int(high) + 1)}
    return {"kind": "one_hot" if characters else "numbers", "low": low, "high": high}


def _packed(twin, found, question, every):
    """What the page compares its own numbers with."""
    packed = {"question": question}
    packed["output"] = described.packed(found.output[0] if every else found.output)
    first = found[found.names[0]]
    if hasattr(first, "dx"):
        packed["dx"] = described.packed(first.dx[0])
    answers = found.output[0] if every else _answers(twin, found)
    packed["answers"] = None if answers is None else described.packed(answers)
    return packed


def _answers(twin, found):
    """What the layers after the recurrent one make of its h after every step, (T, C) or None."""
    chain = described.leaves(twin)
    inside = [any(isinstance(part, Recurrent) for _, part in layer.walk()) for _, layer in chain]
    last = len(inside) - 1 - inside[::-1].index(True)
    key, layer = chain[last]
    tail = [layer for _, layer in chain[last + 1 :]]
    if not isinstance(layer, Recurrent) or any(isinstance(layer, Flatten) for layer in tail):
        return None
    answer = found[key].h[0]
    for layer in tail:
        answer = layer(answer)
    return answer


def _compared(layer):
    """Gates, states and derivatives of a layer that the page computes, too."""
    named = {name: name.removeprefix("d").removeprefix("z_") for name in layer.names}
    return {
        name: described.packed(getattr(layer, name)[0])
        for name, quantity in named.items()
        if quantity in COMPARED and not name.startswith("z_")
    }


def _everything(layer):
    """Every array of a layer with its meaning, for a page that cannot run it."""
    return {
        name: {"meaning": layer._meanings[name], **described.packed(getattr(layer, name)[0])}
        for name in layer.names
        if name not in ("x", "y", "dy", "dx")
    }
