"""Text as a sequence of characters, of which each is to be predicted from those before."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnnlite import checking
from rnnlite.datasets import idx
from rnnlite.datasets.images import BUNDLED, DataNotFound
from rnnlite.datasets.sequences import Sequences
from rnnlite.datasets.vocabulary import Vocabulary, whole_numbers

SAMPLE = "alice.txt.gz"  # made by scripts/make_alice.py
SAMPLE_MD5 = "ee048da4062a36702000d3a16015397d"  # of the decompressed file


def sample_text():
    """Alice's Adventures in Wonderland, by Lewis Carroll, who published it in 1865.

    It is in the public domain; ``data/README.md`` beside this file says where it is from.

    Returns
    -------
    str
        148,000 characters, 70 different ones, all ASCII.

    Examples
    --------
    >>> alice = sample_text()
    >>> alice[alice.index("Alice was"):][:63]
    'Alice was beginning to get very tired of sitting by her sister\\n'
    """
    with (BUNDLED / SAMPLE).open("rb") as file, idx.unpacked(file, SAMPLE) as stream:
        content = stream.read()
    idx.check_md5([content], SAMPLE, SAMPLE_MD5)
    return content.decode("ascii")


class Text(NamedTuple):
    """A text as numbers, its last part held out.

    Attributes
    ----------
    train, validation : numpy.ndarray (characters,)
        The beginning and the end of the text, of the vocabulary's dtype.
    vocabulary : Vocabulary
        Of the whole text, so that the end can be written with it, too.

    Examples
    --------
    >>> data = text()
    >>> data.vocabulary.decode(data.validation[-8:])
    'THE END\\n'
    """

    train: np.ndarray
    validation: np.ndarray
    vocabulary: Vocabulary


def text(path=None, *, validation=0.1, vocabulary=None):
    """The characters of a UTF-8 file, or of the bundled sample.

    What is hard about it: spelling takes a memory of a few characters, quotes and brackets one of
    hundreds, sense one that no small network has.  In nats a character, on the last tenth of the
    sample: 4.25 = log 70 for a guess with no knowledge, 3.16 for one from how often each character
    occurs, 2.45 from the character before; an LSTM of 128 units comes to 1.5 in half a minute
    (``examples/char_lstm.py``).  No score counts as solved.

    Parameters
    ----------
    path : str or os.PathLike, optional
        Any text file in UTF-8; a byte order mark is dropped and line ends become ``"\\n"``.  The
        bundled ``sample_text`` if not given.
    validation : float
        Share of the text to hold out, at its end, in [0, 1).
    vocabulary : Vocabulary, optional
        That of a model trained on another text.

    Returns
    -------
    Text

    Raises
    ------
    DataNotFound, ValueError
        There is no such file; it is empty, not UTF-8, or has a character unknown to ``vocabulary``.

    Examples
    --------
    >>> data = text(validation=0.2)
    >>> len(data.train), len(data.validation), len(data.vocabulary)
    (118740, 29685, 70)
    """
    where = "text"
    share = checking.real_number(where, "validation", validation, 0.0, 1.0, high_included=False)
    if vocabulary is not None and not isinstance(vocabulary, Vocabulary):
        raise TypeError(f"{where}: vocabulary is {vocabulary!r}; wanted a Vocabulary or None")
    content = sample_text() if path is None else _content(where, path)
    vocabulary = vocabulary or Vocabulary(content)
    numbers = vocabulary.encode(content)
    split = len(numbers) - int(share * len(numbers))
    return Text(numbers[:split], numbers[split:], vocabulary)


def _content(where, path):
    """The characters of a file, every line end a single newline, without a byte order mark."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{where}: path is {path!r}; wanted the path of a text file")
    path = Path(path).expanduser()
    if not path.is_file():
        raise DataNotFound(f"{where}: there is no file {path}")
    try:
        content = path.read_text(encoding="utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = f"{error.object[error.start]:#04x} at offset {error.start} (line {line})"
        got = f"{path} is not UTF-8: byte {byte}"
        raise ValueError(f"{where}: {got}; save the file as UTF-8") from None
    if not content:
        raise ValueError(f"{where}: {path} is empty; wanted at least one character")
    return content


def text_batches(characters, batch_size, steps):
    """Batches that continue one another, for truncated backpropagation through time.

    The text is cut into ``batch_size`` stretches; each is a row, and batch k holds the k-th
    ``steps`` characters of every row:

        row 0   It was the Whit|e Rabbit, trott|ing slowly back
        row 1   again, and look|ing anxiously a|bout as it went
                batch 0         batch 1         batch 2

    So give ``layer.final_state`` after one batch to the next ``forward(initial_state=...)``:
    gradients stop at the cut, but memory does not.

    Parameters
    ----------
    characters : array_like of int (characters,)
        Of a ``Text``.
    batch_size, steps : int
        B and T.

    Returns
    -------
    Sequences
        ``x`` and ``y`` (batches, B, T), views of ``characters``; y is one character further.
        Characters at the end that fill no batch, B T at most, are left out.

    Examples
    --------
    >>> x, y = text_batches(np.arange(13), batch_size=2, steps=3)
    >>> x[0], y[0]
    (array([[0, 1, 2], [6, 7, 8]]), array([[1, 2, 3], [7, 8, 9]]))
    >>> x[1]
    array([[ 3, 4, 5], [ 9, 10, 11]])
    """
    where = "text_batches"
    B = checking.whole_number(where, "batch_size", batch_size)
    T = checking.whole_number(where, "steps", steps)
    characters = _characters(where, characters, B * T + 1, f"{B} rows of {T} steps")
    batches = (len(characters) - 1) // (B * T)
    pieces = (characters[start : start + batches * B * T] for start in (0, 1))
    return Sequences(*(piece.reshape(B, batches, T).swapaxes(0, 1) for piece in pieces))


def text_windows(characters, steps, stride=None):
    """Windows of a text that stand for themselves, to be shuffled like images.

    Parameters
    ----------
    characters : array_like of int (characters,)
        Of a ``Text``.
    steps, stride : int
        T, and from the start of one window to that of the next; T if not given.

    Returns
    -------
    Sequences
        ``x`` and ``y`` (n, T), views of ``characters``; y is one character further.

    Examples
    --------
    >>> text_windows(np.arange(8), steps=3, stride=2).x
    array([[0, 1, 2], [2, 3, 4], [4, 5, 6]])
    """
    where = "text_windows"
    T = checking.whole_number(where, "steps", steps)
    stride = T if stride is None else checking.whole_number(where, "stride", stride)
    characters = _characters(where, characters, T + 1, f"{T} steps")
    windows = np.lib.stride_tricks.sliding_window_view(characters, T + 1)[::stride]
    return Sequences(windows[:, :-1], windows[:, 1:])


def _characters(where, characters, least, what):
    """``characters`` as an array of numbers, enough of them."""
    characters = whole_numbers(where, "characters", characters)
    if len(characters) < least:
        hint = f"{what} need {least} at least, one more than they hold, to be predicted"
        raise ValueError(f"{where}: characters has {len(characters)} of them; {hint}")
    return characters
