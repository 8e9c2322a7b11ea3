"""Check that the MD5 sums in rnnlite/datasets/images.py are those of Fashion-MNIST.

    apt-get download dataset-fashion-mnist
    dpkg -x dataset-fashion-mnist_*.deb unpacked
    python scripts/check_fashion_mnist.py unpacked/usr/share/datasets/fashion-mnist

The authors published MD5 sums of their compressed files; the package expects those of
the decompressed ones.  Debian's files hold the same compressed data under another
header, without the file's name and time.  With the name put back and the authors' time,
which was found by trying, they are the authors' files byte for byte: their sums
are the published ones, and so their content is the authors' content.  Files
that were downloaded from the authors are checked as they are.
"""

import argparse
import gzip
import hashlib
import sys
from pathlib import Path

from rnnlite.datasets import images

# The time in the authors' headers: seconds since 1970, on 31 August 2017.
TIMES = (1504176606, 1504176606, 1504176627, 1504176627)
HEADER = 10  # bytes before the compressed data, if the file holds no name
HAS_NAME = 8


def as_published(content, name, time):
    """A gzip file, with a name in its header or without, with the authors' header."""
    if content[3] & HAS_NAME:
        return content
    header = bytes((0x1F, 0x8B, 8, HAS_NAME)) + time.to_bytes(4, "little") + content[8:HEADER]
    return header + name.encode() + b"\0" + content[HEADER:]


def main():
    """Compare both sums of each file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="with the four files, compressed")
    folder = parser.parse_args().folder
    same = True
    for file, time in zip(images.CLOTHES.files, TIMES, strict=True):
        content = (folder / f"{file.name}.gz").read_bytes()
        for what, found, expected in (
            ("published file", as_published(content, file.name, time), file.packed_md5),
            ("its content", gzip.decompress(content), file.md5),
        ):
            md5 = hashlib.md5(found, usedforsecurity=False).hexdigest()
            verdict = "as expected" if md5 == expected else f"NOT the expected {expected}"
            print(f"{file.name}: {what} MD5 {md5}, {verdict}")
            same = same and md5 == expected
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
