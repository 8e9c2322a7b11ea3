"""Files fetched from the first mirror that has them, and kept only if they are right.

A file arrives in memory, is checked there, and only then is written, whole or not at
all (``rnnlite/saving/atomic.py``).  So whatever breaks, a later run finds either
the right file or none, and two processes that download at once only write the same
file twice.  (Streaming to a temporary file instead would
leave its pieces behind in a process killed half-way; no file here exceeds 50 MB.)

A machine without network must not wait.  Time-outs of a connection bound
neither the look-up of a name nor the number of addresses tried one after
another, so each transfer runs in a thread of its own that is given up, whatever
it is doing, when nothing has arrived for too long.
"""

import importlib.util
import sys
import threading
import time
from urllib.parse import urlsplit

from rnnlite.datasets import idx
from rnnlite.saving.atomic import replace_file

FIRST_ANSWER = 4.0  # seconds a mirror has to begin its answer
NEXT_ANSWER = 1.5  # the same once a mirror could not be reached: likely there is no network
STALLED = 15.0  # seconds without a byte after which a begun answer is given up


class DataNotFound(FileNotFoundError):
    """Data are not on this machine, and could not be (or were not to be) downloaded.

    The message says, in one line, where they were looked for and what to do.

    Examples
    --------
    >>> from rnnlite import datasets
    >>> try:
    ...     datasets.mnist(folder="nowhere")
    ... except datasets.DataNotFound as error:
    ...     print(error)
    mnist: folder nowhere lacks train-images-idx3-ubyte, train-labels-idx1-ubyte,
    t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte; wanted all four files there,
    each plain or with .gz
    """


class _Failed(Exception):
    """A mirror did not deliver: the short reason, and whether it answered at all."""

    def __init__(self, reason, answered):
        super().__init__(reason)
        self.answered = answered


class _Incoming:
    """The file object a transfer writes to; what the waiting thread knows of it."""

    def __init__(self, largest, patience):
        self.largest, self.patience = largest, patience
        self.content = bytearray()
        self.response = self.error = None
        self.abandoned = False
        self.finished = threading.Event()
        self.latest = time.monotonic()  # when something last arrived

    def answered(self, response, *_args, **_options):
        """Called when the head of an answer is there."""
        self.response = response
        self.latest = time.monotonic()

    def write(self, chunk):
        """Called with each piece of the file."""
        if self.abandoned:
            raise OSError("given up")
        if len(self.content) + len(chunk) > self.largest:
            raise OSError(f"larger than {self.largest} bytes")
        self.content += chunk
        self.latest = time.monotonic()

    def flush(self):
        """Nothing is held back."""

    def wait(self):
        """Return when the transfer is over; raise `_Failed` if it stands still."""
        while not self.finished.wait(0.1):  # short, or Ctrl-C goes unheard on Windows
            patience = self.patience if self.response is None else STALLED
            if time.monotonic() - self.latest > patience:
                if self.response is None:
                    raise _Failed(f"no answer within {patience:g} s", answered=False)
                raise _Failed(f"silent for {patience:g} s", answered=True)


def fetch(title, files, folder, mirrors, by_hand="a folder and let RNNLITE_DATA name it"):
    """Download files into a folder, each from the first mirror that has it right.

    Parameters
    ----------
    title : str
        What the files are, for errors.
    files : sequence of idx.IdxFile
        Downloaded as ``mirror + name + ".gz"``.
    folder : pathlib.Path
        Made if need be.
    mirrors : sequence of str
        Addresses that end in a slash, tried in turn.
    by_hand : str
        Where the files may be put instead, for errors.

    Raises
    ------
    DataNotFound
        No mirror delivered a file, the library pooch is missing, or the folder
        cannot be written.
    """
    try:
        # requests would be imported by pooch, but in the transfer: its time would count as waiting.
        import pooch  # noqa: F401
        import requests  # noqa: F401
    except ImportError as error:
        raise DataNotFound(
            f"{title} is not on this machine, and to download it the library {error.name}"
            " is needed: pip install pooch"
        ) from None
    mirrors = list(mirrors)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            content, used = _from_any(title, file, mirrors, by_hand)
            mirrors.insert(0, mirrors.pop(mirrors.index(used)))  # it works: first from now on
            _keep(folder / f"{file.name}.gz", content)
    except DataNotFound:
        raise
    except OSError as error:
        raise DataNotFound(
            f"{title} could not be kept in {folder} ({_reason(error)});"
            " set RNNLITE_CACHE to a folder that can be written"
        ) from None


def _from_any(title, file, mirrors, by_hand):
    """The checked bytes of ``file``, compressed, and the mirror they came from."""
    name, failures, patience = f"{file.name}.gz", [], FIRST_ANSWER
    for mirror in mirrors:
        try:
            content = _get(mirror + name, file.largest, patience)
            idx.decode(content, name, file.shape, file.md5)
        except (_Failed, idx.CorruptData) as error:
            failures.append(f"{urlsplit(mirror).netloc} ({error})")
            if isinstance(error, _Failed) and not error.answered:
                patience = NEXT_ANSWER
        else:
            return content, mirror
    raise DataNotFound(
        f"{title} could not be downloaded from {', '.join(failures)}; put its files in {by_hand}"
    )


def _get(url, largest, patience):
    """The bytes behind ``url``."""
    incoming = _Incoming(largest, patience)
    threading.Thread(target=_transfer, args=(url, incoming), daemon=True).start()
    try:
        incoming.wait()
    finally:
        incoming.abandoned = True
    if incoming.error is not None:
        raise _Failed(_reason(incoming.error), incoming.response is not None)
    return bytes(incoming.content)


def _transfer(url, incoming):
    """Body of the thread: download, or note why not."""
    try:
        import pooch

        terminal = sys.stderr is not None and sys.stderr.isatty()
        get = pooch.HTTPDownloader(
            progressbar=terminal and importlib.util.find_spec("tqdm") is not None,
            chunk_size=1 << 14,  # slower than this in STALLED seconds is standing still
            timeout=(incoming.patience, STALLED),
            headers={"Accept-Encoding": "identity"},  # the .gz itself, not decompressed on the way
            hooks={"response": incoming.answered},
        )
        get(url, incoming, None)
    except Exception as error:
        incoming.error = error
    finally:
        if incoming.response is not None:
            incoming.response.close()
        incoming.finished.set()


def _reason(error):
    """Few words for why a download failed: those of the innermost error."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"HTTP {status}"
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.split())[:100]


def _keep(path, content):
    """Write a file so that under its name it is whole or not there."""
    try:
        replace_file(path, content)
    except PermissionError:  # Windows: another process made it first and is reading it
        if not path.exists():
            raise
