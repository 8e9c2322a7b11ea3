"""A mistake: one line of code in place of another."""

from typing import NamedTuple


class Mistake(NamedTuple):
    """A mistake that people make: a line of code in place of the right one.

    Attributes
    ----------
    name : str
        Of the catalogue, like ``"lstm-no-slope-o"``.
    subjects : tuple of str
        Functions of ``rnnlite/mistakes/subjects`` that hold the line, each once.
    right, wrong : str
        Both lines, without indentation and comment; ``wrong`` is "" if the line is missing.
    as_if : str
        What was done, after "as if".
    why : str
        Why it is wrong, one sentence.
    lesson : str
        What explains it: a file of the library or a page, a paper and its equation.

    Examples
    --------
    >>> from rnnlite import mistakes
    >>> mistake = mistakes.named("lstm-no-slope-o")
    >>> mistake.right, mistake.wrong
    ('dz_o = do * o * (1 - o)', 'dz_o = do')
    >>> print(mistake)
    as if the derivative of the output gate's sigmoid had been left out: dz_o = do * o * (1 - o)
    """

    name: str
    subjects: tuple
    right: str
    wrong: str
    as_if: str
    why: str
    lesson: str

    @property
    def subject(self):
        """The first of ``subjects``."""
        return self.subjects[0]

    def __str__(self):
        return f"as if {self.as_if}: {self.right}"


def listed(subjects, lesson, rows):
    """Mistakes in the same functions: rows of name, right, wrong, as_if, why."""
    return tuple(Mistake(row[0], tuple(subjects.split()), *row[1:], lesson) for row in rows)
