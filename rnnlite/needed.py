"""Modules of others, imported when a function that needs one is called."""

import importlib


def needed(where, name, *parts, package=None):
    """The module ``name``, with these parts of it, or an error with the pip command.

    ``package`` is what pip installs, where it has another name.
    """
    try:
        module = importlib.import_module(name)
        for part in parts:
            importlib.import_module(f"{name}.{part}")
    except ImportError as error:
        hint = f"pip install {package or name}"
        raise ImportError(f"{where} needs the library {name}: {hint}") from error
    return module


def needed_onnx(where):
    """The module ``onnx``, with the parts that reading and writing take."""
    return needed(where, "onnx", "checker", "helper", "numpy_helper", "defs")
