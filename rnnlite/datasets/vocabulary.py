"""Characters as numbers, and back."""

import numpy as np

from rnnlite import checking

# Characters looked at in one go: an array of them takes 4 bytes each.
AT_ONCE = 1 << 20
HIGHEST = 0x110000  # of all code points, plus one


class Vocabulary:
    """A set of characters, each with a number: its place in sorted order.

    Parameters
    ----------
    characters : str
        Any text: each different character of it is in the vocabulary.
    unknown : str, optional
        One of the characters, which stands for all that are not in the
        vocabulary; without it they are an error.

    Attributes
    ----------
    characters : str
        Sorted, each once.  ``Vocabulary(characters)`` is this vocabulary again:
        keep it beside a saved model.
    dtype : numpy.dtype
        Of the numbers: the smallest of uint8, uint16 and uint32 that holds them.

    Raises
    ------
    TypeError, ValueError
        If ``characters`` is not a str or empty, or ``unknown`` not one of them.

    Examples
    --------
    >>> vocabulary = Vocabulary("hello world")
    >>> vocabulary.characters, len(vocabulary)
    (' dehlorw', 8)
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
        known = np.zeros(HIGHEST, np.bool_)
        for codes in _code_points(characters):
            known[codes] = True
        self._codes = np.flatnonzero(known)
        self.characters = _text(self._codes)
        self.dtype = np.min_scalar_type(len(self._codes) - 1)
        self._number = np.full(self._codes[-1] + 1, -1, np.int32)  # of each code point
        self._number[self._codes] = np.arange(len(self._codes))
        if unknown is not None and (not isinstance(unknown, str) or len(unknown) != 1):
            raise TypeError(
                f"Vocabulary: unknown is {unknown!r}; wanted a single character or None"
            )
        if unknown is not None and unknown not in self.characters:
            raise ValueError(f"Vocabulary: unknown is {unknown!r}; it must be in the vocabulary")
        self.unknown = unknown

    def __len__(self):
        return len(self._codes)

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
        """The number of each character.

        Parameters
        ----------
        text : str

        Returns
        -------
        numpy.ndarray (len(text),)
            Of ``dtype``, 0 to ``len(vocabulary) - 1``.

        Raises
        ------
        TypeError
            ``text`` is not a str.
        ValueError
            It has a character that is not in the vocabulary, which has no ``unknown``.
        """
        if not isinstance(text, str):
            raise TypeError(f"Vocabulary.encode: text is {text!r}; wanted a str")
        numbers = np.empty(len(text), self.dtype)
        start = 0
        for codes in _code_points(text):
            found = np.full(len(codes), -1, np.int32)
            within = codes < len(self._number)
            found[within] = self._number[codes[within]]
            strange = found < 0
            if strange.any():
                if self.unknown is None:
                    at = int(strange.argmax())
                    raise ValueError(
                        f"Vocabulary.encode: character {chr(codes[at])!r} (U+{codes[at]:04X}) at"
                        f" place {start + at} is not among the {len(self)} of this vocabulary"
                    )
                found[strange] = self._number[ord(self.unknown)]
            numbers[start : start + len(codes)] = found
            start += len(codes)
        return numbers

    def decode(self, numbers):
        """The text of an array of numbers.

        Parameters
        ----------
        numbers : array_like of int, of one axis

        Returns
        -------
        str

        Raises
        ------
        TypeError
            The array does not hold whole numbers.
        ValueError
            It has more than one axis, or a number without a character.
        """
        numbers = checking.any_array("Vocabulary.decode", "numbers", numbers)
        if numbers.size == 0 and numbers.ndim == 1:
            return ""
        if numbers.dtype.kind not in "iu":
            raise TypeError(
                f"Vocabulary.decode: numbers holds {numbers.dtype}; it must hold whole numbers"
            )
        if numbers.ndim != 1:
            raise ValueError(
                f"Vocabulary.decode: numbers has shape {numbers.shape}; wanted one axis"
            )
        low, high = numbers.min(), numbers.max()
        if low < 0 or high >= len(self):
            raise ValueError(
                f"Vocabulary.decode: numbers runs from {low} to {high}; each must lie in"
                f" 0..{len(self) - 1}"
            )
        return _text(self._codes[numbers])


def _code_points(text):
    """The code points of a text, some at a time."""
    for start in range(0, len(text), AT_ONCE):
        piece = text[start : start + AT_ONCE].encode("utf-32-le", "surrogatepass")
        yield np.frombuffer(piece, "<u4")


def _text(codes):
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
