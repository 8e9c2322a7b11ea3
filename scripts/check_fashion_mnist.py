"""Check that the MD5 sums in rnnlite/datasets/known_files.py are those of Fashion-MNIST.

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

from rnnlite.datasets import known_files

# MD5 as published, and the time in the header: seconds since 1970, on 31 August 2017.
PUBLISHED = {
    "train-images-idx3-ubyte": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", 1504176606),
    "train-labels-idx1-ubyte": ("25c81989df183df01b3e8a0aad5dffbe", 1504176606),
    "t10k-images-idx3-ubyte": ("bef4ecab320f06d8554ea6380940ec79", 1504176627),
    "t10k-labels-idx1-ubyte": ("bb300cfdad3c16e7a12a480ee83cd310", 1504176627),
}
HEADER = 10  # bytes before the compressed data, if the file holds no name
HAS_NAME = 8


def as_published(content, name, time):
    """The compressed file with the authors' header.

    Parameters
    ----------
    content : bytes
        A gzip file, with a name in its header or without.
    name : str
    time : int

    Returns
    -------
    bytes
    """
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
    for file in known_files.CLOTHES:
        content = (folder / f"{file.name}.gz").read_bytes()
        published, time = PUBLISHED[file.name]
        for what, found, expected in (
            ("published file", as_published(content, file.name, time), published),
            ("its content", gzip.decompress(content), file.md5),
        ):
            md5 = hashlib.md5(found, usedforsecurity=False).hexdigest()
            verdict = "as expected" if md5 == expected else f"NOT the expected {expected}"
            print(f"{file.name}: {what} MD5 {md5}, {verdict}")
            same = same and md5 == expected
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
