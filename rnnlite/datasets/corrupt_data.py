"""The error for files that are not what they should be."""


class CorruptData(ValueError):
    """A data file is damaged, or is not the file its name promises.

    The message names the file, what was found and what was expected.

    Attributes
    ----------
    md5 : str or None
        MD5 of a file that has the right form but the wrong content.

    Examples
    --------
    >>> from rnnlite import datasets
    >>> from rnnlite.datasets import idx
    >>> try:
    ...     idx.decode(b"<html>", "labels")
    ... except datasets.CorruptData as error:
    ...     print(error)
    labels: not an idx file of unsigned bytes: it begins 3c68746d; expected 000008 and the
    number of dimensions
    """

    md5 = None
