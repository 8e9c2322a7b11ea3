"""Characters as numbers, and back."""

import numpy as np

from rnnlite import checking


def whole_numbers(where, name, value):
    """``value`` as an array of whole numbers with one axis; an empty list is one."""
    array = checking.any_array(where, name, value)
    if array.dtype.kind not in "iu" and array.size > 0:
        raise TypeError(f"{where}: {name} holds {array.dtype}; it must hold whole numbers")
    if array.ndim != 1:
        raise ValueError(f"{where}: {name} has shape {array.shape}; wanted one axis")
    return array


class Vocabulary:
    """A set of characters, each with a number: its place in sorted order.

    Parameters
    ----------
    characters : str
        Any text: each different character of it is in the vocabulary.
    unknown : str, optional
        The character that stands for all not in the vocabulary; without it they are an error.

    Attributes
    ----------
    characters : str
        Sorted, each once.  ``Vocabulary(characters)`` is this vocabulary again.
    dtype : numpy.dtype
        Of the numbers: the smallest of uint8, uint16 and uint32 that holds them.

    Examples
    --------
    >>> vocabulary = Vocabulary("hello world")
    >>> vocabulary.encode("hold")
    array([3, 5, 4, 1], dtype=uint8)
    >>> vocabulary.decode([3, 5, 4, 1])
    'hold'
    """

    def __init__(self, characters, unknown=None):
        if not isinstance(characters, str):
            raise TypeError(f"Vocabulary: characters is {characters!r}; wanted a str")
        if not characters:
            raise ValueError("Vocabulary: characters is empty; wanted at least one character")
        self.characters = "".join(sorted(set(characters)))
        self.dtype = np.min_scalar_type(len(self.characters) - 1)
        self._numbers = {character: k for k, character in enumerate(self.characters)}
        if not (unknown is None or (isinstance(unknown, str) and unknown in self._numbers)):
            raise ValueError(f"Vocabulary: unknown is {unknown!r}; wanted one of the characters")
        self.unknown = unknown

    def __len__(self):
        return len(self.characters)

    def __repr__(self):
        unknown = "" if self.unknown is None else f", unknown={self.unknown!r}"
        return f"Vocabulary({self.characters!r}{unknown})"

    def __eq__(self, other):
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return (self.characters, self.unknown) == (other.characters, other.unknown)

    def __hash__(self):
        return hash((self.characters, self.unknown))

    def encode(self, text):
        """The number of each character.  Without ``unknown``, all must be in the vocabulary.

        Parameters
        ----------
        text : str

        Returns
        -------
        numpy.ndarray (len(text),)
            Of ``dtype``, 0 to ``len(vocabulary) - 1``.
        """
        if not isinstance(text, str):
            raise TypeError(f"Vocabulary.encode: text is {text!r}; wanted a str")
        numbers = self._numbers
        if self.unknown is not None:
            numbers = numbers | dict.fromkeys(set(text) - numbers.keys(), numbers[self.unknown])
        try:
            return np.fromiter(map(numbers.__getitem__, text), self.dtype, len(text))
        except KeyError as error:
            character = error.args[0]
            got = f"{character!r} (U+{ord(character):04X}) at place {text.index(character)}"
            known = f"the {len(self)} of this vocabulary"
            raise ValueError(f"Vocabulary.encode: character {got} is not among {known}") from None

    def decode(self, numbers):
        """The text of an array of numbers with one axis, as in ``Vocabulary.encode``."""
        numbers = whole_numbers("Vocabulary.decode", "numbers", numbers)
        if len(numbers) > 0 and (numbers.min() < 0 or numbers.max() >= len(self)):
            got = f"numbers runs from {numbers.min()} to {numbers.max()}"
            raise ValueError(f"Vocabulary.decode: {got}; each must lie in 0..{len(self) - 1}")
        return "".join(self.characters[number] for number in numbers.tolist())
