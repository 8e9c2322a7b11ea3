"""Doors to other libraries, each imported when a function here is called.

    from_torch, to_torch        models of PyTorch, as modules or state_dicts
    from_keras, to_keras        layers and Sequential models of Keras 3; lengths_from_mask: masks
    save_safetensors, load_safetensors    weights by name, in a file that holds no code
    export_onnx, import_onnx    models as ONNX files, for ONNX Runtime, OpenVINO, tract

Where a library is missing, the error says how to install it.
"""

from rnnlite.interop.keras_door import from_keras, lengths_from_mask, to_keras
from rnnlite.interop.onnx_export import export_onnx
from rnnlite.interop.onnx_import import import_onnx
from rnnlite.interop.safetensors_door import load_safetensors, save_safetensors
from rnnlite.interop.torch_door import from_torch, to_torch

__all__ = [
    "export_onnx", "from_keras", "from_torch", "import_onnx", "lengths_from_mask",
    "load_safetensors", "save_safetensors", "to_keras", "to_torch",
]  # fmt: skip
