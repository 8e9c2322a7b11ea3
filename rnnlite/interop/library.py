"""Libraries of others, imported when a function that needs one is called."""

import importlib


def imported(where, name):
    """The module ``name``, or an ImportError with the command that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ImportError(f"{where} needs {package}: pip install {package}") from error
