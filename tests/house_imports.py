"""The rules of the house for rooms: which may import which, and what may be compiled where."""

import ast
import functools
import re
import sys

import numba
import numba.extending
from house_reading import (
    FUNCTION,
    PACKAGE,
    decorators,
    imported,
    is_within,
    modules,
    names_in,
    room_of,
)

# The rooms, each with those that it may import; ``rnnlite/__init__.py`` shows them all.
COMMON = {"checking", "cache_folder", "needed", "padding"}
RUNNING = {"kernels", "cells", "engine"}
LEARNING = {*RUNNING, "initializers", "layers", "losses", "optim"}
ROOMS = {
    "checking": set(),
    "padding": {"checking"},
    "cache_folder": set(),
    "needed": set(),
    "reference": set(),
    "initializers": COMMON,
    "kernels": COMMON,
    "cells": {"kernels"},
    "engine": {*COMMON, "kernels", "cells"},
    "custom": {*COMMON, *RUNNING},
    "losses": {*COMMON, "kernels", "engine"},
    "optim": {*COMMON, "kernels", "engine"},
    "functional": {*COMMON, *RUNNING, "losses"},
    "layers": {*COMMON, *RUNNING, "initializers"},
    "mistakes": {"reference"},
    "gradcheck": {*COMMON, *RUNNING, "layers", "losses", "mistakes", "reference"},
    "saving": {*COMMON, *LEARNING},
    "training": {*COMMON, *LEARNING, "saving"},
    "inside": {*COMMON, *LEARNING, "saving", "training"},
    "datasets": {*COMMON, "kernels", "engine", "saving"},
    "interop": {*COMMON, *LEARNING, "saving"},
    "exercises": {
        *COMMON,
        *LEARNING,
        "functional",
        "gradcheck",
        "inside",
        "mistakes",
        "reference",
        "saving",
    },
    # Doors to other libraries: nothing imports them.
    "sklearn": {*COMMON, *LEARNING, "training"},
    "logs": {*COMMON, "saving", "training"},
    "distributed": {*COMMON, *LEARNING, "saving", "training"},
    "tables": COMMON,
}
# Against the stream, at a call: a layer is pickled as the file that ``save`` would write.
# So is a team of processes made by whoever is given a communicator.
AT_A_CALL = {("layers", "saving"), ("training", "distributed")}


def imports_of_reference(package):
    """The plain twin imports NumPy alone, beside itself and the standard library."""
    allowed = ("rnnlite.reference", "numpy", *sys.stdlib_module_names)
    for module, tree in modules(package):
        if module.startswith("reference/"):
            for name in imported(tree, module):
                if not is_within(name, allowed):
                    yield f"{module} imports {name}"


def imports_of_kernels(package):
    """Kernels know nothing of cells, layers and functions: they import one another."""
    allowed = ("rnnlite.kernels", "rnnlite.cache_folder")
    for module, tree in modules(package):
        if module.startswith("kernels/"):
            for name in imported(tree, module):
                if name.split(".")[0] == "rnnlite" and not is_within(name, allowed):
                    yield f"{module} imports {name}"


def imports_of_cells(package):
    """Cells are equations: they import one another, the activations, nothing to compute."""
    allowed = ("rnnlite.cells", "rnnlite.kernels.activations")
    # The one bridge: the same names for NumPy arrays and for vector registers.
    bridge = ("numpy", "numba.extending", "rnnlite.kernels")
    harmless = {"collections", "functools", "typing"}
    for module, tree in modules(package):
        if module.startswith("cells/"):
            places = (*allowed, *bridge) if module == "cells/functions.py" else allowed
            for name in imported(tree, module):
                if name.split(".")[0] not in harmless and not is_within(name, places):
                    yield f"{module} imports {name}"


def pickles(package):
    """Unpickling runs what a file says: only the kernel cache has to do with it."""
    for module, tree in modules(package):
        if module == "kernels/jit.py":
            continue
        for name in imported(tree, module):
            if is_within(name, ("pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal")):
                yield f"{module} imports {name}"
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                harmless = isinstance(node.value, ast.Constant) and node.value.value is False
                if not harmless:
                    yield f"{module}:{node.value.lineno} allows pickles"


NUMBA_COMPILES = {
    name
    for module in (numba, numba.extending)
    for name in dir(module)
    if re.search("jit|^overload|vectorize$|^stencil$|^cfunc$|^intrinsic$|^lower_", name)
}


@functools.cache
def compilers(package):
    """Names in kernels/ of what compiles a function: what calls Numba, or calls what does."""
    found = set()
    definitions = {}
    for module, tree in modules(package):
        for node in tree.body if module.startswith("kernels/") else ():
            if isinstance(node, FUNCTION | ast.ClassDef):
                definitions[node.name] = node
            elif isinstance(node, ast.Assign):
                definitions |= {getattr(target, "id", ""): node.value for target in node.targets}
    mentioned = {name: set(names_in(node)) for name, node in definitions.items()}
    while (
        more := {name for name, used in mentioned.items() if used & (NUMBA_COMPILES | found)}
        - found
    ):
        found |= more
    return found


def kernels_outside(package):
    """What is compiled lives under kernels/, where the hash of the kernel cache sees it."""
    ours = compilers(PACKAGE) | compilers(package)
    for module, tree in modules(package):
        if module.startswith("kernels/"):
            continue
        bridge = {"overload"} if module == "cells/functions.py" else set()
        for node in ast.walk(tree):
            if isinstance(node, FUNCTION):
                for name in set(decorators(node)) & (ours | NUMBA_COMPILES) - bridge:
                    yield f"{module}: {node.name} is decorated with {name}"
        for name in imported(tree, module):
            if is_within(name, ("numba", "llvmlite")) and not module.startswith("cells/"):
                yield f"{module} imports {name}"
            ours_is_in = is_within(name, ("rnnlite.kernels.jit", "rnnlite.kernels.parallel"))
            if ours_is_in and name.split(".")[-1] in ours:
                yield f"{module} imports {name}"


def imports_against_the_stream(package):
    """Rooms import in one direction only: each those that stand beside it in ``ROOMS``."""
    for module, tree in modules(package):
        room = room_of(module)
        if module == "__init__.py" or module.startswith(
            "exercises/solutions/"
        ):  # as students write
            continue
        if room not in ROOMS:
            yield f"{module} is in no room of the table ROOMS"
            continue
        at_import = {name for node in outside_functions(tree) for name in imported(node, module)}
        for name in imported(tree, module):
            if name.split(".")[0] != "rnnlite":
                continue
            other = f"{name}.".split(".")[1]
            allowed = other in ROOMS[room] | {room}
            if not allowed and not ((room, other) in AT_A_CALL and name not in at_import):
                yield f"{module} imports {name}"


def outside_functions(tree):
    """Import statements that run when a module is imported."""
    rest = [tree]
    while rest:
        node = rest.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        if not isinstance(node, FUNCTION | ast.Lambda):
            rest.extend(ast.iter_child_nodes(node))
