"""Files that come with the package."""

import importlib.resources


def bundled(name):
    """The bytes of a file in ``rnnlite/datasets/data``.

    Parameters
    ----------
    name : str

    Returns
    -------
    bytes

    Examples
    --------
    >>> bundled("README.md")[:14]
    b'# Bundled data'
    """
    return importlib.resources.files("rnnlite.datasets").joinpath("data", name).read_bytes()
