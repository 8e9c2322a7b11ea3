"""The small realistic faults that there could be in a source file, for plant_faults.py.

A fault is one place of the source changed: a comparison turned, a constant another, + for -,
`and` for `or`, `not` or a minus dropped, a keyword argument dropped, arguments exchanged, `min` for
`max`, another name returned, a condition turned, a statement deleted.  Docstrings, messages,
annotations and decorators are left alone.
"""

import ast
import copy
import random
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

TURNED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OTHER = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
OTHER |= {ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv}
NAMES = {"min": "max", "minimum": "maximum", "any": "all", "floor": "ceil", "argmin": "argmax"}
NAMES |= {other: name for name, other in NAMES.items()}


class Fault:
    """One place of a file, and what stands there instead."""

    def __init__(self, path, source, kind, node, text):
        lines = source.encode().splitlines(keepends=True)

        def place(line, column):
            return sum(map(len, lines[: line - 1])) + column

        self.path, self.kind, self.line, self.after = path, kind, node.lineno, text
        self.start = place(node.lineno, node.col_offset)
        self.end = place(node.end_lineno, node.end_col_offset)
        self.before = source.encode()[self.start : self.end].decode()
        self.key = f"{path}:{node.lineno}:{node.col_offset}: {kind}: {self.after}"

    def planted(self, source):
        """The source with the fault in it."""
        source = source.encode()
        return (source[: self.start] + self.after.encode() + source[self.end :]).decode()

    def is_one(self):
        """Whether the file is still Python, and another program."""
        source = (ROOT / self.path).read_text(encoding="utf-8")
        try:
            changed = ast.parse(self.planted(source))
        except SyntaxError:  # a line that was the only one of its block, say
            return False
        return ast.dump(changed) != ast.dump(ast.parse(source))

    def __str__(self):
        before, after = (" ".join(text.split())[:60] for text in (self.before, self.after))
        return f"{self.path}:{self.line}: {self.kind}: {before}  ->  {after}"


def faults_of(path):
    """All faults that there could be in a file of the package."""
    source = (ROOT / path).read_text(encoding="utf-8")
    found = [Fault(path, source, *change) for change in _changes(ast.parse(source))]
    return list({fault.key: fault for fault in found}.values())


def _changes(node, names=()):
    """Triples of kind, node and new text, of a node and all inside."""
    if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom | ast.Assert):
        if isinstance(node, ast.Raise):
            yield "statement deleted", node, "pass"
        return
    if isinstance(node, ast.FunctionDef):
        inside = [n for n in ast.walk(node) if isinstance(n, ast.Name | ast.arg)]
        names = sorted({getattr(n, "id", None) or n.arg for n in inside if _is_local(n)})
    yield from ((kind, node, text) for kind, text in _of_one(node, names))
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield "condition", node.test, f"(not ({ast.unparse(node.test)}))"
    if isinstance(node, ast.UnaryOp) and ast.unparse(node) == "-1":
        return  # reshape(-2) is reshape(-1)
    for field, value in ast.iter_fields(node):
        if field in ("decorator_list", "annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _changes(child, names)


def _is_local(node):
    return isinstance(node, ast.arg) or isinstance(node.ctx, ast.Store)


def _of_one(node, names):
    """Pairs of kind and new text for one node."""

    def other(**fields):
        twin = copy.copy(node)
        vars(twin).update(fields)
        return ast.unparse(twin)

    match node:
        case ast.Compare(ops=[op]) if type(op) in TURNED:
            yield "comparison", other(ops=[TURNED[type(op)]()])
            if type(op) in (ast.Lt, ast.LtE, ast.Gt, ast.GtE):
                opposite = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}
                yield "comparison", other(ops=[opposite[type(op)]()])
        case ast.Constant(value=bool()):
            yield "constant", repr(not node.value)
        case ast.Constant(value=int() | float()):
            yield "constant", repr(node.value + 1)
            if node.value:
                yield "constant", "0" if node.value == 1 else repr(node.value - 1)
        case ast.BinOp(op=op) if type(op) in OTHER and not _is_text(node):
            yield "operator", other(op=OTHER[type(op)]())
        case ast.BoolOp(op=ast.And()):
            yield "and, or", f"({other(op=ast.Or())})"
        case ast.BoolOp(op=ast.Or()):
            yield "and, or", f"({other(op=ast.And())})"
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield "not, minus", f"({ast.unparse(operand)})"
        case ast.AugAssign(op=op) if type(op) in OTHER:
            yield "operator", other(op=OTHER[type(op)]())
            yield "statement deleted", "pass"
        case ast.Name(id=name) if name in NAMES:
            yield "min, max", NAMES[name]
        case ast.Attribute(attr=name) if name in NAMES:
            yield "min, max", other(attr=NAMES[name])
        case ast.Call(args=args, keywords=keywords):
            for n, keyword in enumerate(keywords):
                if keyword.arg == "strict":  # lengths that are equal anyway
                    continue
                yield "argument dropped", other(keywords=keywords[:n] + keywords[n + 1 :])
            starred = any(isinstance(arg, ast.Starred) for arg in args[:2])
            same = ("isinstance", "min", "max")  # no program, or none that is another
            if len(args) > 1 and not starred and ast.unparse(node.func) not in same:
                yield "arguments exchanged", other(args=[args[1], args[0], *args[2:]])
        case ast.Return(value=ast.Name(id=name)):
            for another in names:
                if another not in (name, "self"):
                    yield "another name", f"return {another}"
        case ast.Return(value=ast.Tuple(elts=[first, second, *rest])):
            text = ", ".join(map(ast.unparse, (second, first, *rest)))
            yield "another name", f"return {text}"
        case ast.Expr(value=ast.Call()) | ast.Delete() | ast.Continue() | ast.Break():
            yield "statement deleted", "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield "statement deleted", "pass"


def _is_text(node):
    parts = [n for n in ast.walk(node) if isinstance(n, ast.JoinedStr | ast.Constant)]
    return any(isinstance(getattr(n, "value", None), str) for n in parts)


def chosen(paths, count, seed):
    """So many faults of these files, as many of each kind as there are; the same for a seed."""
    by_kind, rng = {}, random.Random(seed)
    for path in paths:
        for fault in faults_of(path):
            by_kind.setdefault(fault.kind, []).append(fault)
    for faults in by_kind.values():
        rng.shuffle(faults)
    result, lines = [], set()
    while by_kind and (count is None or len(result) < count):
        for kind in sorted(by_kind):
            fault = by_kind[kind].pop()
            if not by_kind[kind]:
                del by_kind[kind]
            is_new = count is None or (fault.path, fault.line) not in lines
            if is_new and fault.is_one():  # one a line is enough
                lines.add((fault.path, fault.line))
                result.append(fault)
    return result[:count]
