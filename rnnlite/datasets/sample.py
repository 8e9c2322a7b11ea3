"""The text that comes with the package: Alice's Adventures in Wonderland."""

import gzip
import hashlib

from rnnlite.datasets.bundled import bundled
from rnnlite.datasets.corrupt_data import CorruptData

SAMPLE = "alice.txt.gz"  # made by scripts/make_alice.py
SAMPLE_MD5 = "ee048da4062a36702000d3a16015397d"  # of the decompressed file


def sample_text():
    """Alice's Adventures in Wonderland, by Lewis Carroll.

    Published in 1865; its author died in 1898: the text is in the public domain
    everywhere.  ``data/README.md`` beside this file says where it is from.

    Returns
    -------
    str
        148,000 characters, 70 different ones, all ASCII.

    Raises
    ------
    CorruptData
        The installed file is damaged.

    Examples
    --------
    >>> from rnnlite import datasets
    >>> alice = datasets.sample_text()
    >>> len(alice), len(set(alice))
    (148425, 70)
    >>> alice[alice.index("Alice was"):][:63]
    'Alice was beginning to get very tired of sitting by her sister\\n'
    """
    try:
        content = gzip.decompress(bundled(SAMPLE))
    except (OSError, EOFError) as error:
        raise CorruptData(f"{SAMPLE}: damaged gzip data ({error})") from None
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != SAMPLE_MD5:
        raise CorruptData(f"{SAMPLE}: MD5 {md5}; expected {SAMPLE_MD5}")
    return content.decode("ascii")
