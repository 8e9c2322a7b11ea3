"""Mistakes that people make in recurrent networks, each a line of code in place of the right one.

    subjects/          plain NumPy: a step, its derivative, the loop; loss, optimizer, lengths
    mistake.py         what a mistake is
    cells.py, loops.py, parts.py, methods.py   the catalogue: in a step, in the loop over time,
                       around it, and with gradients as a whole
    catalogue.py       all of them; one by name; those of a function
    planting.py        a function in which mistakes are planted
    cases.py           arguments of each function on which its mistakes show
    fitting.py         which mistakes would have given these numbers?

The gradient check and the exercises name the mistake that gives the numbers they are shown.
"""

from rnnlite.mistakes.cases import cases
from rnnlite.mistakes.catalogue import CATALOGUE, named, of
from rnnlite.mistakes.fitting import fitting
from rnnlite.mistakes.mistake import Mistake
from rnnlite.mistakes.planting import function, subject_names, text

__all__ = [
    "CATALOGUE", "Mistake", "cases", "fitting", "function", "named", "of",
    "subject_names", "text",
]  # fmt: skip
