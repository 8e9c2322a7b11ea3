"""Modules of others, imported when a function that needs one is called."""

import importlib


def needed(where, name, *parts):
    """The module ``name``, with these parts of it, or an error with the pip command."""
    try:
        module = importlib.import_module(name)
        for part in parts:
            importlib.import_module(f"{name}.{part}")
    except ImportError as error:
        raise ImportError(f"{where} needs the library {name}: pip install {name}") from error
    return module


def needed_onnx(where):
    """The module ``onnx``, with the parts that reading and writing take."""
    return needed(where, "onnx", "checker", "helper", "numpy_helper", "defs")
