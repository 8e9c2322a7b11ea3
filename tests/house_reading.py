"""Reading a package: what its modules define, import, document and return."""

import ast
import functools
import re
from pathlib import Path

import rnnlite

PACKAGE = Path(rnnlite.__file__).resolve().parent
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


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


def names_in(node):
    """Names and attributes that a piece of code mentions, its decorators left out."""
    rest = [node]
    while rest:
        node = rest.pop()
        if isinstance(node, ast.Name | ast.Attribute):
            yield node.id if isinstance(node, ast.Name) else node.attr
        decorated = getattr(node, "decorator_list", ())
        rest += [child for child in ast.iter_child_nodes(node) if child not in decorated]


def room_of(module):
    """``"kernels/loop.py"`` -> ``"kernels"``, ``"custom.py"`` -> ``"custom"``."""
    return module.split("/")[0].removesuffix(".py")
