"""Arguments of each function on which its mistakes show, drawn from a seed."""

import numpy as np

from rnnlite.mistakes.planting import file_of, function

GATES = {"rnn": 1, "lstm": 4, "peephole_lstm": 4, "gru": 3, "gru_2014": 3}


def cases(subject, seed=0, B=3, T=4, I=2, H=3, lengths=True):
    """Arguments for a function on which each of its mistakes gives other numbers than it.

    Parameters
    ----------
    subject : str
        A function of ``rnnlite/mistakes/subjects``.
    seed : int
    B, T, I, H : int
        Rows, steps, features and units.
    lengths : bool
        Whether the rows of a sequence have different lengths.

    Returns
    -------
    list of tuple
        One, or two where no single one shows all mistakes.

    Examples
    --------
    >>> from rnnlite import mistakes
    >>> [[argument.shape for argument in case] for case in mistakes.cases("dense_forward")]
    [[(3, 2), (2, 3), (3,)]]
    """
    file = file_of(subject)
    rng = np.random.default_rng(seed)
    if file in ("parts", "methods"):
        case = PARTS[subject](rng, B, T, I, H, _lengths(B, T))
        return [case, *MORE[subject](*case)] if subject in MORE else [case]
    lengths = _lengths(B, T) if lengths else None
    return [_of_cell(rng, subject, file, B, T, I, H, lengths)]


def _lengths(B, T):
    """From T down to 1, and again."""
    return T - np.arange(B) % T


def _of_cell(rng, subject, file, B, T, I, H, lengths):
    normal, columns = rng.standard_normal, GATES[file] * H
    weights = [normal((I, columns)), normal((H, columns))]
    biases = [normal(columns)] + [normal(columns)] * file.startswith("gru")
    peephole = [normal(3 * H)] * (file == "peephole_lstm")
    state = [normal((B, H)) for _ in range(2 if "lstm" in file else 1)]
    inputs = normal((B, T, I))
    step = "_step" in subject
    before = [inputs[:, 0] if step else inputs, *state]
    if not subject.endswith("_backward"):
        given = (*before, *weights, *biases, *peephole)
        return given if step else (*given, lengths)
    forward = function(subject.removesuffix("_backward") + ("" if step else "_forward"))
    if step:
        new = forward(*before, *weights, *biases, *peephole)
        dstate = [normal((B, H)) for _ in state]
        after = [new] if file == "rnn" else new[1:]  # h; c and the gates; the gates
        return (*dstate, *before, *after, *weights, *peephole)
    y, *saved = forward(*before, *weights, *biases, *peephole, lengths)
    dstate = [normal((B, H)) for _ in state]
    return (normal(y.shape), *dstate, inputs, *saved, *weights, *peephole, lengths)


def _softmax(rng, B, T, I, H, lengths):
    logits = rng.standard_normal((B, H))
    logits[0] += 1000.0  # exp overflows
    return logits, rng.integers(0, H, B)


def _adam(rng, B, T, I, H, lengths):
    p, g, m = rng.standard_normal((3, H))
    return p, 0.01 * g, 0.1 * m, 1e-4 * rng.random(H), 2


def _bumpy(x):
    return np.sum(np.sin(3 * x) * np.roll(x, 1))


PARTS = {
    "softmax_cross_entropy": _softmax,
    "dense_forward": lambda rng, B, T, I, H, lengths: (
        rng.standard_normal((B, I)), rng.standard_normal((I, H)), rng.standard_normal(H)
    ),
    "dense_backward": lambda rng, B, T, I, H, lengths: (
        rng.standard_normal((B, H)), rng.standard_normal((B, I)), rng.standard_normal((I, H))
    ),
    "embedding_forward": lambda rng, B, T, I, H, lengths: (
        np.arange(B + 1) % (H + 1), rng.standard_normal((H + 1, I))
    ),
    "embedding_backward": lambda rng, B, T, I, H, lengths: (
        rng.standard_normal((B + 1, I)), np.arange(B + 1) % 2, rng.standard_normal((H + 1, I))
    ),
    "adam_step": _adam,
    "clip_gradients": lambda rng, B, T, I, H, lengths: (
        [0.1 * rng.standard_normal((B, H)), 5.0 * rng.standard_normal(H)], 1.0
    ),
    "dropout_mask": lambda rng, B, T, I, H, lengths: (rng.random((B, T, H)), 0.3),
    "dropout_forward": lambda rng, B, T, I, H, lengths: (
        rng.standard_normal((B, T, H)), rng.random((B, T, H)), 0.3
    ),
    "dropout_backward": lambda rng, B, T, I, H, lengths: (
        rng.standard_normal((B, T, H)), rng.random((B, T, H)), 0.3
    ),
    "last_valid": lambda rng, B, T, I, H, lengths: (rng.standard_normal((B, T, H)), lengths),
    "last_valid_backward": lambda rng, B, T, I, H, lengths: (
        rng.standard_normal((B, H)), rng.standard_normal((B, T, H)), lengths
    ),
    "masked_mean": lambda rng, B, T, I, H, lengths: (rng.random((B, T)), lengths),
    "reverse": lambda rng, B, T, I, H, lengths: (rng.standard_normal((B, T, I)), lengths),
    "numeric_gradient": lambda rng, B, T, I, H, lengths: (_bumpy, rng.standard_normal((B, I))),
    "gradient_norms": lambda rng, B, T, I, H, lengths: (
        rng.standard_normal((B, H)), np.tanh(rng.standard_normal((B, T + 1, H))),
        rng.standard_normal((H, H)),
    ),
    "truncated_backward": lambda rng, B, T, I, H, lengths: (
        rng.standard_normal((B, T, H)), rng.standard_normal((B, T, I)),
        np.tanh(rng.standard_normal((B, T + 1, H))), rng.standard_normal((I, H)),
        rng.standard_normal((H, H)), max(T // 2, 1),
    ),
}  # fmt: skip
MORE = {
    "clip_gradients": lambda grads, max_norm: [(grads, 100.0)],  # short enough as they are
    "dropout_forward": lambda x, draws, rate: [(x, draws, rate, False)],
}
