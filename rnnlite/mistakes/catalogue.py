"""All mistakes, and how to ask for some of them."""

import functools

from rnnlite.mistakes.cells import CELLS
from rnnlite.mistakes.loops import LOOPS
from rnnlite.mistakes.methods import METHODS
from rnnlite.mistakes.parts import PARTS

CATALOGUE = CELLS + LOOPS + PARTS + METHODS
_BY_NAME = {mistake.name: mistake for mistake in CATALOGUE}


def named(name):
    """The mistake of a name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Mistake

    Examples
    --------
    >>> from rnnlite import mistakes
    >>> mistakes.named("clip-by-value").why
    'Clipping numbers turns the step; scaling all of them shortens it.'
    """
    if name not in _BY_NAME:
        raise ValueError(f"named: name is {name!r}, which is no mistake of the catalogue")
    return _BY_NAME[name]


@functools.cache
def of(*subjects):
    """The mistakes of some functions, in the catalogue's order.

    Parameters
    ----------
    *subjects : str
        Functions of ``rnnlite/mistakes/subjects``.

    Returns
    -------
    tuple of Mistake

    Examples
    --------
    >>> from rnnlite import mistakes
    >>> [mistake.name for mistake in mistakes.of("embedding_backward")]
    ['embedding-repeats-lost', 'embedding-averaged']
    """
    return tuple(mistake for mistake in CATALOGUE if set(subjects) & set(mistake.subjects))
