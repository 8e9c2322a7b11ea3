"""explain: one file in which a trained network runs, forward and backward, for everyone to see.

The page is made of the files in ``page``; ``network.js`` there is the network, and worth reading.
"""

import html
import json
import string
from pathlib import Path

from rnnlite import checking
from rnnlite.inside.page_data import page_data
from rnnlite.saving.atomic import replace_file

TEMPLATE = Path(__file__).parent / "page"
SCRIPTS = (
    "network.js", "draw.js", "equations.js", "views.js", "state.js", "input.js", "changes.js",
    "proof.js", "page.js",
)  # fmt: skip


def explain(model, x, path=None, labels=None, lengths=None, vocabulary=None, class_names=None):
    """Make a page in which a trained network can be seen at work, forward and backward.

    One file that needs no network and no installation.  It holds the weights, and runs the network
    itself: draw a digit or edit a text, step through time, hold a gate, check the gradient.  It
    compares its numbers with those of rnnlite, and says whether they agree.  Networks that it
    cannot run (a cell or a layer of your own) are shown as they ran here on the first row of x.

    Parameters
    ----------
    model : Layer
        With a recurrent layer in it; it is not changed.
    x : array_like (B, T, features) or of int (B, T)
        Sequences, or a list of them, of which up to 20 go into the page.  Where they are
        (B, 28, 28), the page lets the reader draw.
    path : str or os.PathLike, optional
        File to write; what was there is replaced as a whole.
    labels : array_like, optional
        As ``y`` of ``fit``, classes or values.  Without labels the page derives the largest score,
        or, with a vocabulary and an answer at each step, the loss of the next character.
    lengths : array_like of int (B,), optional
        Valid steps of each row, 1 to T.
    vocabulary : Vocabulary or str, optional
        The character of each index (or of each place, where x is one-hot): the page shows text,
        and lets the reader edit it.
    class_names : list of str, optional
        What to call each output.

    Returns
    -------
    Page
        Shown by Jupyter as a page in the notebook; ``page.save(path)`` writes the file.

    Examples
    --------
    >>> import numpy as np
    >>> from rnnlite import LSTM, Dense, Sequential
    >>> model = Sequential([LSTM(28, 8, seed=0), Dense(8, 10, seed=1)])
    >>> page = explain(model, np.zeros((3, 28, 28)), labels=[7, 2, 1])
    >>> page.html[:15], len(page.html) < 300_000
    ('<!DOCTYPE html>', True)
    """
    if path is not None:
        path = checking.file_name("explain", "path", path)
    page = Page(_content(model, x, labels, lengths, vocabulary, class_names), repr(model))
    if path is not None:
        page.save(path)
    return page


class Page:
    """A page that ``explain`` made.

    Attributes
    ----------
    html : str
        The whole file.

    Examples
    --------
    >>> Page("<!DOCTYPE html><p>Hello", "a model")
    Page of a model, 23 bytes; Page.save(path) writes the file
    """

    def __init__(self, html, title):
        self.html, self._title = html, title

    def save(self, path):
        """Write the file, as a whole or not at all.

        Parameters
        ----------
        path : str or os.PathLike
        """
        replace_file(checking.file_name("Page.save", "path", path), self.html.encode())

    def _repr_html_(self):
        # In a frame of its own, which can neither read nor change the notebook.
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts" '
            f'title="Inside {html.escape(self._title)}" '
            'style="width: 100%; height: 900px; border: 1px solid #8888"></iframe>'
        )

    def __repr__(self):
        size = len(self.html)
        return f"Page of {self._title}, {size:,} bytes; Page.save(path) writes the file"


def _content(model, x, labels, lengths, vocabulary, class_names):
    """The text of the page."""
    data = page_data(model, x, labels, lengths, vocabulary, class_names)
    # In a script element only "<" could end the data; the rest is for readers of the source.
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    parts = {name: (TEMPLATE / name).read_text(encoding="utf-8") for name in SCRIPTS}
    template = string.Template((TEMPLATE / "page.html").read_text(encoding="utf-8"))
    page = template.substitute(
        style=(TEMPLATE / "page.css").read_text(encoding="utf-8"),
        script="\n".join(f"// ==== {name} ====\n{part}" for name, part in parts.items()),
        data=text,
    )
    return page
