"""How far gradients flow: their norm step by step, and who sends them.

Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks"; the
matrix is that of RNNbow (Cashman et al. 2019), which takes the gradient apart by where it begins.
"""

import numpy as np

from rnnlite import checking
from rnnlite.inside import canvas
from rnnlite.inside.chosen import derivative_of, layer_of, one_row, rows_of, states_of, valid
from rnnlite.inside.trace import trace as traced
from rnnlite.training.batches import Batch
from rnnlite.training.evaluation import check_model
from rnnlite.training.objective import tried


def gradient_flow(trace, layer=None):
    """The norm of dL/dh_t, and of the derivative by every other state, at every step.

    Parameters
    ----------
    trace : Trace
        With derivatives: of labels, a loss or ``dy``.
    layer : str, optional
        Key of a recurrent layer; by default the first one.

    Returns
    -------
    dict of str to numpy.ndarray (B, T)
        By the name of the derivative, "dh" and of an LSTM "dc"; NaN in padding.

    Examples
    --------
    >>> from rnnlite import LSTM, trace
    >>> found = gradient_flow(trace(LSTM(3, 4, seed=0), np.ones((2, 6, 3)), dy=np.ones((2, 4))))
    >>> found["dh"].shape, found["dc"].shape
    ((2, 6), (2, 6))
    """
    where = "gradient_flow"
    part = layer_of(where, trace, layer)
    counted = valid(trace, part.x.shape[1])
    norms = {}
    for state in states_of(part):
        derivative = derivative_of(where, part, state)
        norms[f"d{state}"] = np.where(counted, np.linalg.norm(derivative, axis=2), np.nan)
    return norms


def plot_gradient_flow(
    traces, layer=None, row=None, states=None, relative=False, from_end=False,
    *, path=None, ax=None,
):  # fmt: skip
    """Draw ``gradient_flow`` of one or several models over time, on a logarithmic scale.

    Parameters
    ----------
    traces : Trace or dict of str to Trace
        Several by the name for the legend: RNN, LSTM, GRU; before and after training.
    layer : str, optional
        Key of a recurrent layer; by default the first one of each.
    row : int or list of int, optional
        The mean over these rows is drawn; over all by default.
    states : list of str, optional
        As ["h"]; by default all of each model's.
    relative : bool
        Whether each line is divided by its value at the last step.
    from_end : bool
        Whether steps are counted back from each row's last one, for rows of different length.
    path, ax : str or os.PathLike, matplotlib.axes.Axes, optional
        Picture file to write, and axes to draw into; by default none, and a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from rnnlite import GRU, RNN, trace
    >>> x, dy = np.ones((2, 6, 3)), np.ones((2, 4))
    >>> models = {"RNN": RNN(3, 4, seed=0), "GRU": GRU(3, 4, seed=0)}
    >>> figure = plot_gradient_flow({name: trace(m, x, dy=dy) for name, m in models.items()})
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['RNN', 'GRU']
    """
    where = "plot_gradient_flow"
    relative = checking.true_or_false(where, "relative", relative)
    from_end = checking.true_or_false(where, "from_end", from_end)
    traces = traces if isinstance(traces, dict) else {"": traces}
    lines = []
    for name, trace in traces.items():
        rows, flow = rows_of(where, trace, row), gradient_flow(trace, layer)
        wanted = flow if states is None else [f"d{state}" for state in states]
        for key in wanted:
            checking.one_of(where, "states", key[1:], [known[1:] for known in flow])
            lines.append((name, key, _mean(flow[key][rows], from_end)))
    axes = canvas.one(where, ax, 6.4, 3.8)
    only_h = all(key == "dh" for _, key, _ in lines)
    for n, (name, key, norms) in enumerate(lines):
        norms = norms / norms[-1] if relative else norms
        by = rf"$\partial L/\partial {key[1:]}_t$" if len(key) == 2 else key
        label = name if only_h and name else f"{name}, {by}" if name else by
        every = max(1, len(norms) // 8)
        steps = np.arange(len(norms)) - (len(norms) - 1 if from_end else 0)
        axes.semilogy(
            steps, norms, **canvas.style(n), ms=4, markevery=(n % every, every), label=label
        )
    what = r"$\|\partial L/\partial h_t\|$" if only_h else r"$\|\partial L/\partial$ state$_t\|$"
    rows = "" if row is not None and not np.ndim(row) else ", mean of the rows"
    time = "steps from each row's last one" if from_end else "time step t"
    axes.set_ylabel(what + (", last step = 1" if relative else rows))
    canvas.time_axis(axes, 0, label=f"{time}  (← gradients)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)
    return canvas.finished(where, axes, path)


def _mean(norms, from_end):
    """Mean (T,) over the rows that have a step; up to the last step that one has."""
    there = ~np.isnan(norms)
    if from_end:
        steps = there.sum(axis=1)
        norms = np.stack([np.roll(row, -n) for row, n in zip(norms, steps, strict=True)])
        norms = norms[:, norms.shape[1] - steps.max() :]
        there = ~np.isnan(norms)
    last = np.flatnonzero(there.any(axis=0))
    norms, there = norms[:, : last[-1] + 1], there[:, : last[-1] + 1]
    return np.where(there, norms, 0).sum(axis=0) / there.sum(axis=0)


# ---- taken apart -----------------------------------------------------------------------------


def itemised_gradient(
    model, x, labels, row=0, loss=None, layer=None, state="h", lengths=None, *, vectors=False
):
    """What each step's share of the loss sends back to the state after each step.

    The loss of one row is L = L_0 + ... + L_{T-1}, a part for every step of the output.  dL/dh_s
    is the sum of all dL_t/dh_s; here they stand one by one.

    Parameters
    ----------
    model : Layer
        It answers at every step.
    x, labels, loss, lengths : as in ``rnnlite.trace``
    row : int
        Which row of x.
    layer : str, optional
        Key of a recurrent layer; by default the first one.
    state : str
        Which of its states.
    vectors : bool
        Whether to return the derivatives themselves in place of their norms.

    Returns
    -------
    numpy.ndarray (T, T), or (T, T, H)
        At [t, s] the norm of dL_t/dh_s, T the row's valid steps; zero where t < s in a network
        that reads forwards.

    Examples
    --------
    >>> from rnnlite import RNN
    >>> model = RNN(3, 4, return_sequences=True, seed=0)
    >>> found = itemised_gradient(model, np.ones((2, 6, 3)), np.zeros((2, 6), int))
    >>> found.shape, bool(found[5, 0] > 0), float(found[0, 5])
    ((6, 6), True, 0.0)
    """
    where = "itemised_gradient"
    check_model(where, model)
    x, at = one_row(where, x, row, lengths)
    x, labels = x[at], checking.real_array(where, "labels", labels)[at]
    output = model(x)
    if output.ndim != 3 or output.shape[1] != x.shape[1]:
        got = f"the model's output has shape {output.shape}"
        raise ValueError(f"{where}: {got}; wanted an answer at every step: return_sequences=True?")
    outcome = tried(where, loss, output, Batch(x, labels, None))(output, labels, None)
    # As many rows as steps, all alike; from row t the gradient of step t alone goes back.
    T = x.shape[1]
    dy = np.eye(T, dtype=output.dtype)[:, :, None] * outcome.doutput
    found = layer_of(where, traced(model, np.repeat(x, T, axis=0), dy=dy), layer)
    checking.one_of(where, "state", state, states_of(found))
    derivatives = getattr(found, f"d{state}")
    return derivatives if vectors else np.linalg.norm(derivatives, axis=2)


def plot_itemised_gradient(
    model, x, labels, row=0, loss=None, layer=None, state="h", lengths=None, symbols=None,
    *, path=None, ax=None,
):  # fmt: skip
    """Draw ``itemised_gradient``: a line for each step of the loss, how far back it reaches.

    Parameters
    ----------
    model, x, labels, row, loss, layer, state, lengths : as in ``itemised_gradient``
    symbols : sequence of str, optional
        What was read at each step, for the axes.
    path, ax : str or os.PathLike, matplotlib.axes.Axes, optional
        Picture file to write, and axes to draw into; by default none, and a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from rnnlite import RNN
    >>> model = RNN(3, 4, return_sequences=True, seed=0)
    >>> figure = plot_itemised_gradient(model, np.ones((2, 6, 3)), np.zeros((2, 6), int))
    >>> figure.axes[0].get_ylabel()
    'loss at step t'
    """
    from matplotlib.colors import LogNorm

    where = "plot_itemised_gradient"
    norms = itemised_gradient(model, x, labels, row, loss, layer, state, lengths)
    axes = canvas.one(where, ax, 5.6, 4.6)
    most = float(norms.max()) or 1.0
    label = rf"$\|\partial L_t/\partial {state}_s\|$  (white: 0)"
    nothing = np.ma.masked_equal(norms, 0.0)
    canvas.heat(axes, nothing, None, None, label, LogNorm(most * 1e-4, most, clip=True))
    after = f"{state} after step s" + ("" if symbols is None else " (the one that reads this)")
    canvas.time_axis(axes, len(norms), symbols, after)
    canvas.whole_numbers(axes.yaxis)
    axes.set_ylabel("loss at step t")
    return canvas.finished(where, axes, path)
