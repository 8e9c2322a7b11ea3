"""Equations as they were when their cell was made, whatever happens to their surroundings later.

Python looks up what a function uses at every call: a global, a module's number, an array's content.
A kernel is compiled for the values of one moment, that of forward perhaps earlier than that of
backward, and stays in the cache under a hash of them (``fingerprint.py``).  So a cell's equations
are copies, with copies of all that they reach: the hash, both kernels, the plain engine and the
gradient check speak of the same values.
"""

import sys
import types

import numpy as np
from numba.core.dispatcher import Dispatcher

EQUATIONS = ("step", "step_backward", "intermediate", "intermediate_backward")
_LIBRARIES = {*sys.stdlib_module_names, "numpy", "numba", "scipy", "rnnlite"}
_MARK = "__frozen__"


def is_library(module):
    """Whether a module of this name is what it is: nobody sets numbers in it."""
    return str(module).split(".")[0] in _LIBRARIES


def names_in(code):
    """Names a function and the functions inside it may look up: globals and attributes."""
    inside = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return [*code.co_names, *(name for part in inside for name in names_in(part))]


def frozen(functions):
    """Copies of these functions (or None) that nothing changes any more; a copy stays itself."""
    done = {}  # by id: the original, which keeps its id, and its copy

    def copy(value, names):
        if isinstance(value, types.FunctionType):
            return value if is_library(value.__module__) else copy_function(value)
        if isinstance(value, Dispatcher):  # compiled by Numba
            options = value.targetoptions
            return type(value)(copy_function(value.py_func), targetoptions=options)
        if isinstance(value, types.ModuleType):
            return value if is_library(value.__name__) else copy_module(value, names)
        if isinstance(value, np.ndarray):
            value = value.copy()
            value.flags.writeable = False
        if isinstance(value, tuple):
            parts = [copy(part, names) for part in value]
            return type(value)._make(parts) if hasattr(value, "_make") else tuple(parts)
        return value

    def copy_function(function):
        if _MARK in function.__globals__:
            return function
        if id(function) in done:
            return done[id(function)][1]
        code, closure = function.__code__, function.__closure__ or ()
        names, module = names_in(code), function.__module__
        surroundings = {_MARK: True, "__name__": module, "__builtins__": function.__builtins__}
        cells = tuple(types.CellType() for _ in closure)
        twin = types.FunctionType(code, surroundings, function.__name__, None, cells)
        done[id(function)] = function, twin  # first of all: a helper may call itself
        twin.__module__, twin.__qualname__ = function.__module__, function.__qualname__
        twin.__doc__, twin.__wrapped__ = function.__doc__, function
        for name in names:
            if name in function.__globals__:
                surroundings[name] = copy(function.__globals__[name], names)
        for own, cell in zip(cells, closure, strict=True):
            own.cell_contents = copy(cell.cell_contents, names)
        twin.__defaults__ = copy(function.__defaults__, names)
        named = function.__kwdefaults__ or {}
        twin.__kwdefaults__ = {name: copy(value, names) for name, value in named.items()}
        return twin

    def copy_module(module, names):
        """A module with what the function may take from it."""
        key = id(module), *names
        if key not in done:
            twin = types.ModuleType(module.__name__)
            done[key] = module, twin
            for name in ("__version__", *names):
                if hasattr(module, name):
                    setattr(twin, name, copy(getattr(module, name), names))
        return done[key][1]

    return [None if function is None else copy_function(function) for function in functions]


def frozen_cell(cell):
    """A cell with its equations frozen."""
    functions = frozen([getattr(cell, name) for name in EQUATIONS])
    return cell._replace(**dict(zip(EQUATIONS, functions, strict=True)))


def arrays_in(functions):
    """The arrays that frozen functions use, themselves or by their helpers."""
    found, seen = [], []

    def look(value):
        if isinstance(value, np.ndarray):
            found.append(value)
        elif isinstance(value, tuple):
            for part in value:
                look(part)
        elif isinstance(value, types.ModuleType) and not is_library(value.__name__):
            look(tuple(vars(value).values()))
        elif isinstance(value, Dispatcher):
            look(value.py_func)
        elif isinstance(value, types.FunctionType) and value not in seen:
            seen.append(value)
            if _MARK in value.__globals__:
                cells = (cell.cell_contents for cell in value.__closure__ or ())
                named = (value.__kwdefaults__ or {}).values()
                look((*value.__globals__.values(), *cells, *(value.__defaults__ or ()), *named))

    look(tuple(functions))
    return found
