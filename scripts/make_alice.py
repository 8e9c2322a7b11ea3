"""Make the bundled text, rnnlite/datasets/data/alice.txt.gz, from the test data of Brotli.

    pip download --no-deps --no-binary :all: brotli==1.2.0
    tar xzf brotli-1.2.0.tar.gz brotli-1.2.0/tests/testdata/alice29.txt
    python scripts/make_alice.py brotli-1.2.0/tests/testdata/alice29.txt

"Alice's Adventures in Wonderland" by Lewis Carroll (1865), as the file alice29.txt of
the Canterbury Corpus, which many compressors carry along.  What changes: lines end in
LF, the end-of-file mark of old systems (0x1a) goes, and so do the blank lines around
the text and the line that names the electronic edition.
"""

import argparse
import gzip
import hashlib
import sys
from pathlib import Path

from rnnlite.datasets.text import SAMPLE, SAMPLE_MD5

SOURCE_MD5 = "74c3b556c76ea0cfae111cdb64d08255"
EDITION = "THE MILLENNIUM FULCRUM EDITION 2.9"


def clean(content):
    """The bytes of the source, as they are bundled."""
    text = content.decode("ascii").rstrip("\x1a").replace("\r\n", "\n")
    lines = text.strip("\n").split("\n")
    place = [line.strip() for line in lines].index(EDITION)
    del lines[place : place + 2]  # and the blank line behind it
    return ("\n".join(lines) + "\n").encode("ascii")


def main():
    """Write the file and compare its sum with the one the package expects."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="alice29.txt of the Canterbury Corpus")
    folder = Path(__file__).parents[1] / "rnnlite" / "datasets" / "data"
    parser.add_argument("--folder", type=Path, default=folder, help="where to write")
    arguments = parser.parse_args()

    content = arguments.source.read_bytes()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if md5 != SOURCE_MD5:
        raise SystemExit(f"{arguments.source}: MD5 {md5}; expected {SOURCE_MD5}")
    text = clean(content)
    path = arguments.folder / SAMPLE
    arguments.folder.mkdir(parents=True, exist_ok=True)
    # Neither date nor name: the same bytes at any time of day.
    path.write_bytes(gzip.compress(text, 9, mtime=0))

    md5 = hashlib.md5(text, usedforsecurity=False).hexdigest()
    verdict = "as expected" if md5 == SAMPLE_MD5 else f"NOT the expected {SAMPLE_MD5}"
    print(f"{path}: {path.stat().st_size} bytes, {len(text)} of text, MD5 {md5}, {verdict}")
    return 0 if md5 == SAMPLE_MD5 else 1


if __name__ == "__main__":
    sys.exit(main())
