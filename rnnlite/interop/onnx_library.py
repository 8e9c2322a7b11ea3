"""The library onnx, imported when a function that needs it is called."""

import importlib


def onnx_for(where):
    """The module ``onnx``, with its helpers; ImportError with the pip command if it is missing."""
    try:
        onnx = importlib.import_module("onnx")
        for part in ("checker", "helper", "numpy_helper", "defs"):
            importlib.import_module(f"onnx.{part}")
    except ImportError as error:
        raise ImportError(f"{where} needs the library onnx: pip install onnx") from error
    return onnx
