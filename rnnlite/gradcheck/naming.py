"""Which mistakes of the catalogue would have given the numbers of a run that is wrong."""

import itertools

import numpy as np

from rnnlite.gradcheck.differences import check_array
from rnnlite.gradcheck.twins import matching
from rnnlite.mistakes.fitting import ROUNDING, fitting, on_one_line, same

TWINS = 4  # that are looked at, if the output fits several
FLOAT32_ROUNDING = 1e-5
PAIRS_UP_TO = 20_000  # numbers of x and y: beyond, only single mistakes are tried


def named(run):
    """Sets of mistakes, each of which would have given the run's numbers: alternatives.

    Empty if the run's gradients are right, or wrong in a way that is not in the catalogue.
    """
    numbers = [run.y, *run.found.values()]
    rounding = FLOAT32_ROUNDING if any(map(is_float32, numbers)) else ROUNDING
    with np.errstate(all="ignore"):
        alternatives = []
        for twin, forward in matching(run, rounding)[:TWINS]:
            right = twin.gradients(forward, (), twin.feeds()[0])
            if _agrees(run.found, right, rounding):
                return [forward] if forward else []
            alternatives += _fitting(twin, forward, run.found, right, rounding)
        return list(dict.fromkeys(alternatives))


def named_loss(loss_function, output, labels, tolerance):
    """The same of a loss of one's own, if its gradient is wrong: against softmax cross-entropy."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape != output.shape[:-1]:
        return []
    y = np.array(output, np.float64)
    loss, dy = loss_function(y, labels)
    dy = np.array(dy, np.float64)
    report, _ = check_array(
        lambda: float(loss_function(y, labels)[0]), "output", y, dy, tolerance, None, None
    )
    if report.relative_error <= tolerance:
        return []
    rows, classes = y.reshape(-1, y.shape[-1]), labels.reshape(-1)
    found = float(loss), dy.reshape(rows.shape)
    return fitting("softmax_cross_entropy", [(rows, classes)], [found])


def is_float32(array):
    """Whether an array's numbers, not all of them round ones, have no more digits than float32."""
    array = np.asarray(array, np.float64)
    array = array[np.isfinite(array)]
    rounded = array.astype(np.float32).astype(np.float64)
    return bool(np.all(array == rounded) and np.any(array * 1024 % 1))


def _fitting(twin, forward, found, right, rounding):
    feeds = twin.feeds()

    def made(mistakes):
        answers = (twin.gradients(forward, mistakes, feed) for feed in feeds)
        return [gradients for gradients in answers if gradients is not None]

    def fits(mistakes):
        return any(_agrees(found, gradients, rounding) for gradients in made(mistakes))

    def may_fit(mistake):  # dx of the last step costs little
        tails = [twin.tail(forward, (mistake,), feed) for feed in feeds]
        return "x" not in found or any(
            tail is None or same(found["x"][:, -1:], tail, rounding) for tail in tails
        )

    alone = [(*forward, m) for m in twin.backward_mistakes if may_fit(m) and fits((m,))]
    if alone or twin.run.x.size + twin.run.y.size > PAIRS_UP_TO:
        return alone
    reach = {  # the arrays that each mistake changes
        mistake: {n for n in found for g in made((mistake,)) if not same(g[n], right[n], rounding)}
        for mistake in twin.backward_mistakes
    }
    wrong = {name for name in found if not same(found[name], right[name], rounding)}
    visible = [m for m in reach if reach[m] and reach[m] <= wrong]
    pairs = [p for p in itertools.combinations(visible, 2) if reach[p[0]] | reach[p[1]] == wrong]
    pairs = [p for p in pairs if not on_one_line(p)]
    likely = _likely(twin, forward, found, pairs, feeds[0], rounding)
    return [(*forward, *p) for p in likely if fits(p)]


def _likely(twin, forward, found, pairs, feed, rounding):
    """The pairs that give the right dx at the last step, or might: a sieve that costs little."""
    none = twin.tail(forward, (), feed)
    if none is None or "x" not in found:
        return pairs
    wanted = found["x"][:, -1:]
    alone = {m: twin.tail(forward, (m,), feed) for m in {m for pair in pairs for m in pair}}
    changes = {m: tail is not None and not same(tail, none, rounding) for m, tail in alone.items()}

    enough = {m: tail is not None and same(tail, wanted, rounding) for m, tail in alone.items()}
    right = same(none, wanted, rounding)

    def fits(pair):
        if any(alone[m] is None for m in pair):
            return True
        changing = [m for m in pair if changes[m]]
        if len(changing) == 2:
            return same(wanted, twin.tail(forward, pair, feed), rounding)
        return enough[changing[0]] if changing else right

    return [pair for pair in pairs if fits(pair)]


def _agrees(found, made, rounding):
    """Whether all gradients are those; rounding is judged by the array, or else by the largest."""
    largest = max(float(np.max(np.abs(array))) for array in made.values())
    sizes = {name: float(np.max(np.abs(array))) for name, array in made.items()}
    return all(same(found[n], made[n], rounding, max(sizes[n], 1e-4 * largest)) for n in found)


def sentences(key, alternatives):
    """What a report says of the mistakes that would have given the numbers of a part."""
    if not alternatives:
        return []
    where = f"{key}: " if key else ""
    told = "; or, with the same numbers here, ".join(
        ", and ".join(map(str, together)) for together in alternatives
    )
    reasons = dict.fromkeys(m for together in alternatives for m in together)
    return [f"{where}{told}", *(f"  {m.why} ({m.lesson})" for m in reasons)]
