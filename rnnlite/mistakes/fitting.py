"""Which mistakes would have given these numbers?"""

import itertools

import numpy as np

from rnnlite.mistakes.catalogue import of
from rnnlite.mistakes.planting import called, file_of
from rnnlite.mistakes.switched import switched

ROUNDING = 1e-9  # of an array's largest number


def same(found, wanted, rounding=ROUNDING, scale=None):
    """Whether two results, numbers, arrays or tuples of them, agree but for rounding.

    ``scale`` is the size of number that is rounded: that of an array's largest if not given.
    """
    if isinstance(wanted, tuple | list):
        return (
            isinstance(found, tuple | list)
            and len(found) == len(wanted)
            and all(same(*pair, rounding, scale) for pair in zip(found, wanted, strict=True))
        )
    found, wanted = np.asarray(found), np.asarray(wanted)
    if found.shape != wanted.shape or found.dtype.kind not in "fiub":
        return False
    with np.errstate(invalid="ignore", over="ignore"):
        scale = scale or np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0) or 1.0
        agree = np.abs(found - wanted) <= rounding * scale
    if not agree.all():  # infinity and NaN agree with themselves
        agree |= (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    return bool(agree.all())


def on_one_line(mistakes):
    """Whether two of them exchange the same line."""
    return len({m.right for m in mistakes}) < len(mistakes)


def combinations(mistakes, most):
    """Mistakes alone, then two and more of them that exchange different lines."""
    for size in range(1, most + 1):
        for chosen in itertools.combinations(mistakes, size):
            if not on_one_line(chosen):
                yield chosen


def smallest(tried):
    """Of pairs (mistakes, whether they fit), the mistakes of all that fit with the fewest."""
    found = []
    for chosen, fits in tried:
        if found and len(chosen) > len(found[0]):
            break
        if fits():
            found.append(chosen)
    return found


def results(subject, cases, *mistakes):
    """What a function, with mistakes planted in it, makes of several tuples of arguments."""
    with np.errstate(all="ignore"):
        return [switched(file_of(subject), mistakes)[subject](*given) for given in cases]


def fitting(subject, cases, found, mistakes=None, most=2):
    """Mistakes with which a function would have given the numbers found.

    Parameters
    ----------
    subject : str
        A function of ``rnnlite/mistakes/subjects``.
    cases : list of tuple
        Arguments: ``mistakes.cases(subject, seed)``, or others.
    found : list
        What somebody's function made of each: an array, a number, or a tuple of them.
    mistakes : sequence of Mistake, optional
        Those that are tried; if not given, those of the function and of what it calls.
    most : int
        How many at once.

    Returns
    -------
    list of tuple of Mistake
        All that fit to rounding, with as few mistakes as possible: several if they give the same
        numbers; none if the numbers are right, or wrong in a way that is not in the catalogue.

    Examples
    --------
    >>> from rnnlite import mistakes
    >>> ((x, W, b),) = mistakes.cases("dense_forward")
    >>> for (mistake,) in mistakes.fitting("dense_forward", [(x, W, b)], [x @ W]):
    ...     print(mistake)
    as if the bias had been left out: y = x @ W + b
    """
    if same(found, results(subject, cases)):
        return []
    tried = of(*called(subject)) if mistakes is None else mistakes
    return smallest(
        (chosen, lambda c=chosen: same(found, results(subject, cases, *c)))
        for chosen in combinations(tried, most)
    )
