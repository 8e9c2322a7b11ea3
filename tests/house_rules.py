"""The other rules of the house; each is a function from a package folder to a list of complaints.

Those for docstrings are in ``house_docstrings``, those for rooms in ``house_imports``.
"""

import ast
import re

from house_reading import FUNCTION, modules, names_in, room_of

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


def prints(package):
    """A library does not print; a program of it does."""
    for module, tree in modules(package):
        if module.endswith("__main__.py"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                yield f"{module}:{node.lineno} prints"


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
