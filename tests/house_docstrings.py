"""The rules of the house for docstrings: what users call says what it takes, returns and shows."""

import ast
import re

from house_reading import (
    FUNCTION,
    arguments,
    decorators,
    modules,
    public,
    returns_something,
    section,
)

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


def false_signs(package):
    """A file that a docstring of a module names is there: beside it, or from the package on."""
    for module, tree in modules(package):
        for name in re.findall(r"[\w/]+\.py\b", ast.get_docstring(tree) or ""):
            beside = (package / module).parent / name
            if not any(path.exists() for path in (beside, package / name, package.parent / name)):
                yield f"{module} speaks of {name}"
