"""The idx files of MNIST and Fashion-MNIST: names, shapes and MD5 sums.

Both sets have the same file names and shapes; only the sums tell them apart.

The sums are of the decompressed files, because the compressed ones differ from
place to place (date, file name, compressor).  MNIST's are widely published.  The
authors of Fashion-MNIST published those of their compressed files,

    8d4fb7e6c68d591d4c3dfef9ec88bf0d  train-images-idx3-ubyte.gz
    25c81989df183df01b3e8a0aad5dffbe  train-labels-idx1-ubyte.gz
    bef4ecab320f06d8554ea6380940ec79  t10k-images-idx3-ubyte.gz
    bb300cfdad3c16e7a12a480ee83cd310  t10k-labels-idx1-ubyte.gz

from which ``scripts/check_fashion_mnist.py`` derives the ones below.
"""

from rnnlite.datasets.idx import IdxFile

DIGITS = (
    IdxFile("train-images-idx3-ubyte", (60_000, 28, 28), "6bbc9ace898e44ae57da46a324031adb"),
    IdxFile("train-labels-idx1-ubyte", (60_000,), "a25bea736e30d166cdddb491f175f624"),
    IdxFile("t10k-images-idx3-ubyte", (10_000, 28, 28), "2646ac647ad5339dbf082846283269ea"),
    IdxFile("t10k-labels-idx1-ubyte", (10_000,), "27ae3e4e09519cfbb04c329615203637"),
)

CLOTHES = (
    IdxFile("train-images-idx3-ubyte", (60_000, 28, 28), "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
    IdxFile("train-labels-idx1-ubyte", (60_000,), "9018921c3c673c538a1fc5bad174d6f9"),
    IdxFile("t10k-images-idx3-ubyte", (10_000, 28, 28), "8181f5470baa50b63fa0f6fddb340f0a"),
    IdxFile("t10k-labels-idx1-ubyte", (10_000,), "15d484375f8d13e6eb1aabb0c3f46965"),
)


def owner(md5):
    """Whose file it is that has this sum.

    Parameters
    ----------
    md5 : str or None
        MD5 of a decompressed file.

    Returns
    -------
    str or None
        ``"MNIST"``, ``"Fashion-MNIST"``, or None if it is neither's.

    Examples
    --------
    >>> owner("f4a8712d7a061bf5bd6d2ca38dc4d50a")
    'Fashion-MNIST'
    """
    for title, files in (("MNIST", DIGITS), ("Fashion-MNIST", CLOTHES)):
        if any(file.md5 == md5 for file in files):
            return title
    return None
