"""What a cell computes, as a short text: the key under which its kernels are cached.

Two cells of one name may have different equations, and an equation may take a constant from
anywhere: a global, a closure, a helper's helper.  All of it is hashed.
"""

import enum
import hashlib
import types

import numpy as np

from rnnlite.kernels.freeze import EQUATIONS, is_library, names_in

_CONSTANTS = (
    types.NoneType, types.EllipsisType, bool, int, float, complex, str, bytes, np.generic, np.dtype,
)  # fmt: skip


def identity(cell):
    """Text that tells a cell's kernels from those of any other cell, the same in every process."""
    layout = cell._asdict()
    del layout["unit_values"]  # where training begins: no kernel knows them
    functions = [layout.pop(name) for name in EQUATIONS]
    return f"{layout} {fingerprint(cell.name, functions)}"


def fingerprint(where, functions):
    """Hash of what functions (or None) compute: their code and everything they reach.

    TypeError, which ``where`` opens, if they reach something whose value cannot be told.
    """
    digest = hashlib.sha256()
    seen = {}

    def add(value):
        if isinstance(value, types.CodeType):
            digest.update(value.co_code)
            names = (value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
            counts = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount)
            digest.update(repr((names, counts, value.co_flags)).encode())
            for constant in value.co_consts:
                add(constant)
        elif isinstance(value, types.FunctionType):
            if id(value) in seen:
                digest.update(f"number {seen[id(value)]} again".encode())
                return
            seen[id(value)] = len(seen)
            # A cached kernel imports the module of its equations when it is loaded.
            digest.update(f"{value.__module__} {value.__qualname__}".encode())
            if is_library(value.__module__) and not _is_within(value.__module__, ("rnnlite",)):
                return
            add(value.__code__)
            for cell in value.__closure__ or ():
                add(cell.cell_contents)
            for default in (value.__defaults__ or (), *(value.__kwdefaults__ or {}).items()):
                add(default)
            if _is_within(value.__module__, ("rnnlite.cells", "rnnlite.kernels")):
                return  # their text is part of the name of the kernels' folder
            names = names_in(value.__code__)
            for name in names:
                if name in value.__globals__:
                    digest.update(name.encode())
                    add_reached(value.__globals__[name], names)
        elif hasattr(value, "py_func"):  # a function compiled by Numba
            digest.update(repr(sorted(getattr(value, "targetoptions", {}).items())).encode())
            add(value.py_func)
        elif isinstance(value, (tuple, frozenset)):
            digest.update(f"{getattr(value, '_fields', '')}(".encode())  # an equation may name one
            for part in value if isinstance(value, tuple) else sorted(value, key=repr):
                add(part)
            digest.update(b")")
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
        elif isinstance(value, _CONSTANTS):
            digest.update(f"{type(value).__name__}:{value!r};".encode())
        elif isinstance(value, enum.EnumType):
            digest.update(repr([(member.name, member.value) for member in value]).encode())
        elif _is_known(value):
            text = f"{getattr(value, '__module__', '')}.{value!r}"
            digest.update(text.split(" at 0x")[0].encode())
        else:
            raise TypeError(
                f"{where}: the equations use {value!r}; they may use numbers, arrays and functions"
            )

    def add_reached(value, names):
        """A global; of a module, what the function may take from it."""
        if not isinstance(value, types.ModuleType):
            add(value)
            return
        digest.update(f"{value.__name__} {getattr(value, '__version__', '')}".encode())
        if is_library(value.__name__):
            return
        for name in names:
            if hasattr(value, name):
                digest.update(name.encode())
                add_reached(getattr(value, name), names)

    for function in functions:
        add(function)
    return digest.hexdigest()[:16]


def _is_within(module, packages):
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def _is_known(value):
    """Whether what can be called is known by its name: a built-in, a ufunc, a class of a library.

    Not a class of one's own, a method or a partial: they hold values that may change.
    """
    if isinstance(value, type):
        return is_library(value.__module__) or issubclass(value, BaseException)
    kind = type(value)
    of_numbers = _is_within(kind.__module__, ("numpy", "numba"))
    return kind is types.BuiltinFunctionType or (callable(value) and of_numbers)
