"""The rules of the house: each is a function from a package folder to a list of complaints."""

import ast
import functools
import re
import sys
from pathlib import Path

import numba
import numba.extending

import rnnlite

PACKAGE = Path(rnnlite.__file__).resolve().parent
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"

# Modules whose public names are the library: each of them has an example.
SHOWN = (
    "functional/__init__.py",
    "reference/__init__.py",
    "gradcheck/__init__.py",
    "datasets/__init__.py",
    "saving/__init__.py",
    "layers/__init__.py",
    "inside/__init__.py",
    "interop/__init__.py",
    "optim/__init__.py",
    "optim/schedules.py",
    "initializers.py",
    "sklearn/__init__.py",
    "logs/__init__.py",
    "distributed/__init__.py",
    "tables/__init__.py",
    "__init__.py",
)
# Its docstrings are the text of a lesson, in a form of their own.
LESSON = "reference/"
# Classes that users never call: the library hands their objects out, or they are bases.
HANDED_OUT = ("Page", "RecurrentCache", "Optimizer", "Schedule", "Trace", "LayerTrace")
# What ``Layer`` says of these holds for every layer; other rooms of the library call them.
NOT_FOR_USERS = {
    "forward_pass", "backward_pass", "check_input", "check_indices", "output_features", "infer",
    "trained_by_this_thread", "check_gradients", "stream_parts",
}  # fmt: skip

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

# Words that the house no longer uses, as parts of a name in the code ...
OLD_WORDS = {
    "access", "bell", "bells", "hx", "keeper", "kept", "live", "looks", "tape", "trouble",
}  # fmt: skip
# ... and anywhere in a file: what stands in their place.
OLD_TERMS = {
    r"\btapes?\b": "workspace", r"\bkeepers?\b": "checkpoint", r"\bhx\b": "h_offset",
    r"\bbells?\b": "spin", r"\bload_some\b": "load_masked", r"\btrouble\b": "divergence",
    r"\bkept kernels?\b": "cached kernel", r"\blive weights?\b": "raw weights",
}  # fmt: skip


# ---- reading a package ---------------------------------------------------------------------


def modules(package):
    """Path within the package, and syntax tree, of every module."""
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).as_posix(), parsed(path, path.read_text(encoding="utf-8"))


@functools.cache
def parsed(path, text):
    return ast.parse(text, str(path))


def name_of(module, package="rnnlite"):
    """``"kernels/loop.py"`` -> ``"rnnlite.kernels.loop"``."""
    parts = module.removesuffix(".py").removesuffix("__init__").strip("/").split("/")
    return ".".join([package, *filter(None, parts)])


def imported(tree, module):
    """Every module that is imported anywhere in a tree, and ``module.name`` of names from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                package = name_of(module).split(".")
                if not module.endswith("__init__.py"):
                    package.pop()
                package = package[: len(package) - node.level + 1]
                source = ".".join([*package, *filter(None, [source])])
            # ``from rnnlite import kernels`` imports rnnlite.kernels
            yield from (f"{source}.{alias.name}" for alias in node.names)


def is_within(name, places):
    return any(name == place or name.startswith(f"{place}.") for place in places)


def decorators(function):
    """Names of a function's decorators: ``a.b(...)`` counts as ``b``."""
    for node in function.decorator_list:
        node = node.func if isinstance(node, ast.Call) else node
        yield node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def public(body):
    """Public functions and classes defined in a body."""
    for node in body:
        if isinstance(node, FUNCTION | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def documented(package):
    """Module, name, syntax of every public function, class and method."""
    for module, tree in modules(package):
        for node in public(tree.body):
            yield module, node.name, node
            if isinstance(node, ast.ClassDef):
                for method in public(node.body):
                    if "setter" not in decorators(method):  # its property has the docstring
                        yield module, f"{node.name}.{method.name}", method


def exports(package):
    """Names that users see, by module that exports them."""
    for module, tree in modules(package):
        if module not in SHOWN:
            continue
        listed = [
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            and any(getattr(target, "id", "") == "__all__" for target in node.targets)
        ]
        yield module, set(listed[0] if listed else (node.name for node in public(tree.body)))


def home(trees, module, name):
    """The module in which a name that ``module`` exports is defined; None if it is a module."""
    for node in trees[module].body:
        if isinstance(node, ast.ImportFrom) and name in (a.asname or a.name for a in node.names):
            source = (node.module or "").removeprefix("rnnlite").replace(".", "/").strip("/")
            places = (f"{source}.py", f"{source}/__init__.py".strip("/"))
            found = [place for place in places if place in trees]
            if not found or found[0] == module:
                return None
            # ``training/fit.py`` and its function share a name: a package that imports the name
            # from there exports the function.
            return home(trees, found[0], name)
    return module


def section(docstring, title):
    """The lines under a title underlined with dashes, or None."""
    parts = re.split(r"^(\w[^\n]*)\n-{3,}$", docstring, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True)).get(title)


def arguments(function, is_method):
    """Names of the arguments a caller can give."""
    a = function.args
    names = [arg.arg for arg in (*a.posonlyargs, *a.args)]
    if is_method and "staticmethod" not in decorators(function):
        names = names[1:]
    names += [arg.arg for arg in (a.vararg, *a.kwonlyargs, a.kwarg) if arg]
    return [name for name in names if not name.startswith("_")]


def own_nodes(function):
    """All nodes of a function that are not in a function inside it."""
    rest = list(function.body)
    while rest:
        node = rest.pop()
        yield node
        if not isinstance(node, FUNCTION | ast.Lambda | ast.ClassDef):
            rest.extend(ast.iter_child_nodes(node))


def returns_something(function):
    return any(
        (isinstance(node, ast.Return) and node.value is not None
         and not (isinstance(node.value, ast.Constant) and node.value.value is None))
        or isinstance(node, ast.Yield | ast.YieldFrom)
        for node in own_nodes(function)
    )  # fmt: skip


# ---- the rules -----------------------------------------------------------------------------


def missing_docstrings(package):
    """Every module and every public function, class and method has a docstring."""
    for module, tree in modules(package):
        if not ast.get_docstring(tree):
            yield f"{module} has no docstring"
    for module, name, node in documented(package):
        if not ast.get_docstring(node):
            yield f"{module}: {name} has no docstring"


def called_by_users(package):
    """``documented``, but only what users call: exported names and the methods of these classes.

    Elsewhere one true sentence is enough.
    """
    trees = dict(modules(package))
    shown = {
        (home(trees, module, name), name) for module, names in exports(package) for name in names
    }
    for module, name, node in documented(package):
        inside = name.split(".")[-1] in NOT_FOR_USERS
        if (module, name.split(".")[0]) in shown and ast.get_docstring(node) and not inside:
            yield module, name, node, ast.get_docstring(node)


def undocumented_arguments(package):
    """What users call lists each of its arguments under Parameters."""
    for module, name, node, docstring in called_by_users(package):
        if isinstance(node, ast.ClassDef):
            init = [m for m in node.body if isinstance(m, FUNCTION) and m.name == "__init__"]
            if not init or node.name in HANDED_OUT:
                continue
            names = arguments(init[0], is_method=True)
        elif is_property(node) or refers_elsewhere(docstring):
            continue
        else:
            names = arguments(node, is_method="." in name)
        text = docstring if module.startswith(LESSON) else section(docstring, "Parameters")
        for argument in names:
            if text is None or not re.search(rf"\b{argument}\b", text):
                yield f"{module}: {name} does not say what {argument} is"


def undocumented_results(package):
    """What users call and returns something says what, under Returns."""
    for module, name, node, docstring in called_by_users(package):
        if not isinstance(node, FUNCTION):
            continue
        if is_property(node) or refers_elsewhere(docstring) or not returns_something(node):
            continue
        said = section(docstring, "Returns") or section(docstring, "Yields")
        if not (
            said or (module.startswith(LESSON) and (said_in_words(docstring) or ">>>" in docstring))
        ):
            yield f"{module}: {name} does not say what it returns"


def missing_examples(package):
    """Every function and class that users see has an example."""
    for module, name, node in without_example(package):
        if not is_named_tuple(node):
            yield f"{module}: {name} has no example"


def missing_examples_of_results(package):
    """So has every named tuple that a function hands out."""
    for module, name, node in without_example(package):
        if is_named_tuple(node):
            yield f"{module}: {name} has no example"


def without_example(package):
    trees = dict(modules(package))
    shown = {
        (home(trees, module, name), name) for module, names in exports(package) for name in names
    }
    for module, name, node in documented(package):
        if (module, name) in shown and name not in HANDED_OUT[1:]:
            docstring = ast.get_docstring(node) or ""
            lesson = module.startswith(LESSON)
            if ">>> " not in (docstring if lesson else section(docstring, "Examples") or ""):
                yield module, name, node


def is_named_tuple(node):
    return isinstance(node, ast.ClassDef) and any(
        getattr(base, "id", "") == "NamedTuple" for base in node.bases
    )


def is_property(node):
    return any("property" in name for name in decorators(node))


def refers_elsewhere(docstring):
    """``..., as in ``Layer.forward``.``: an override whose arguments are described there."""
    return re.search(r"(\bas in|; see) ``\w[\w.]*``", docstring)


def said_in_words(docstring):
    return re.search(r"\b[Rr]eturns?\b|\bGradients \(", docstring)


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


def prints(package):
    """A library does not print; a program of it does."""
    for module, tree in modules(package):
        if module.endswith("__main__.py"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                yield f"{module}:{node.lineno} prints"


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


def fast_math(package):
    """Fast-math is named flag by flag; True would promise that there are no NaNs."""
    for module, tree in modules(package):
        for node in ast.walk(tree):
            pairs = []
            if isinstance(node, ast.keyword):
                pairs = [(node.arg, node.value)]
            elif isinstance(node, ast.Dict):
                pairs = [
                    (key.value, value)
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant)
                ]
            for name, value in pairs:
                if name == "fastmath" and getattr(value, "value", None) is True:
                    yield f"{module}:{value.lineno} sets fastmath=True"
            if isinstance(node, ast.Constant) and node.value in ("nnan", "ninf", "fast"):
                yield f"{module}:{node.lineno} names the flag {node.value}"


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


def names_in(node):
    """Names and attributes that a piece of code mentions, its decorators left out."""
    rest = [node]
    while rest:
        node = rest.pop()
        if isinstance(node, ast.Name | ast.Attribute):
            yield node.id if isinstance(node, ast.Name) else node.attr
        decorated = getattr(node, "decorator_list", ())
        rest += [child for child in ast.iter_child_nodes(node) if child not in decorated]


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


def room_of(module):
    """``"kernels/loop.py"`` -> ``"kernels"``, ``"custom.py"`` -> ``"custom"``."""
    return module.split("/")[0].removesuffix(".py")


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


def asks_for_a_kind_of_tree(package):
    """Trees of layers are walked: nobody asks whether one is a Sequential or a Bidirectional."""
    containers = {"Sequential", "Bidirectional", "Group"}
    for module, tree in modules(package):
        if room_of(module) == "layers":
            continue
        for node in ast.walk(tree):
            called = getattr(getattr(node, "func", None), "id", "")
            if called in ("isinstance", "issubclass") or isinstance(node, ast.Compare):
                asked = node
            elif isinstance(node, ast.MatchClass):
                asked = node.cls
            else:
                continue
            for name in sorted(containers.intersection(names_in(asked))):
                yield f"{module}:{asked.lineno} asks for {name}"


def old_words(package):
    """One word, one meaning: words that were given up do not come back as names."""
    for module, tree in modules(package):
        names = {part for part in module.removesuffix(".py").split("/")}
        for node in ast.walk(tree):
            names |= {
                name
                for field in ("id", "attr", "arg", "name", "asname")
                if isinstance(name := getattr(node, field, None), str)
            }
        for name in sorted(names):
            if found := OLD_WORDS.intersection(re.split("_+", name.lower())):
                yield f"{module} has the name {name}: {', '.join(sorted(found))}"


def old_terms(package):
    """... nor in a sentence, where they can only be those words."""
    for path in sorted(package.rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for term, better in OLD_TERMS.items():
                if found := re.search(term, line):
                    module = path.relative_to(package).as_posix()
                    yield f"{module}:{number} says {found[0]}, now {better}"


def false_signs(package):
    """A file that a docstring of a module names is there: beside it, or from the package on."""
    for module, tree in modules(package):
        for name in re.findall(r"[\w/]+\.py\b", ast.get_docstring(tree) or ""):
            beside = (package / module).parent / name
            if not any(path.exists() for path in (beside, package / name, package.parent / name)):
                yield f"{module} speaks of {name}"


def asks_before_where(package):
    """Who asks, ``where``, is the first argument of a check, and then comes the argument's name."""
    for module, tree in modules(package):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and not ast.unparse(node.func).startswith("log."):
                later = [arg.id for arg in node.args[1:] if isinstance(arg, ast.Name)]
                if "where" in later:
                    yield f"{module}:{node.lineno} gives where to {ast.unparse(node.func)} too late"


def flag_keep(package):
    """``model(x)`` keeps nothing, ``model.forward`` does: ``keep`` is no argument of either."""
    for module, tree in modules(package):
        if room_of(module) in ("kernels", "engine"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, FUNCTION | ast.Lambda):
                a = node.args
                if "keep" in [arg.arg for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs)]:
                    yield f"{module}:{node.lineno} takes keep"
            elif isinstance(node, ast.Call) and "keep" in [k.arg for k in node.keywords]:
                called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if "forward" in called or called in ("__call__", "model", "layer"):
                    yield f"{module}:{node.lineno} gives keep to {called}"


def skips_without_a_reason(tests):
    """A test that is skipped says why (``importorskip`` does so by itself)."""
    for module, tree in modules(tests):
        for node in ast.walk(tree):
            name = ""
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", "")
                said = [k.value for k in node.keywords if k.arg == "reason"]
                said += node.args[:1] if name == "skip" else []
                if name in ("skip", "skipif", "xfail") and not said:
                    yield f"{module}:{node.lineno} {name} gives no reason"
            elif isinstance(node, FUNCTION) and {"skip", "skipif", "xfail"} & {
                d.attr for d in node.decorator_list if isinstance(d, ast.Attribute)
            }:
                yield f"{module}:{node.lineno} {node.name} gives no reason"
