"""All mistakes of a file in one text, each behind a switch: thousands of pairs, compiled once.

dz_o = do * o * (1 - o)      if "lstm-no-slope-o" in SWITCHED: dz_o = do
                             else: dz_o = do * o * (1 - o)
"""

import functools
import types

from rnnlite.mistakes.catalogue import CATALOGUE
from rnnlite.mistakes.planting import file_of, file_text, line_of


def _exchanges(file):
    """For every line, from 0, the mistakes that exchange it."""
    found = {}
    for mistake in CATALOGUE:
        for subject in mistake.subjects:
            if file_of(subject) == file:
                found.setdefault(line_of(mistake, subject) - 1, []).append(mistake)
    return found


def _with_switches(line, mistakes):
    """The lines that stand for one, with all that may be in its place."""
    indent = line[: len(line) - len(line.lstrip())]
    right = mistakes[0].right
    if right.endswith(":"):  # for t in ...: or if ...: what is exchanged is an expression
        keyword = "for t in " if right.startswith("for") else "if "
        expression = right[len(keyword) : -1]
        for m in mistakes:
            wrong = m.wrong[len(keyword) : -1]
            expression = f"({wrong}) if {m.name!r} in SWITCHED else ({expression})"
        return [f"{indent}{keyword}{expression}:"]
    lines = [f"{indent}if False: pass"]
    lines += [f"{indent}elif {m.name!r} in SWITCHED: {m.wrong or 'pass'}" for m in mistakes]
    return [*lines, f"{indent}else: {right}"]


@functools.cache
def _switched_file(file):
    exchanges, lines = _exchanges(file), []
    for n, line in enumerate(file_text(file).splitlines()):
        lines += _with_switches(line, exchanges[n]) if n in exchanges else [line]
    names = {"__name__": f"rnnlite.mistakes.subjects.{file}", "SWITCHED": frozenset()}
    exec(compile("\n".join(lines), f"<{file}.py with switches>", "exec"), names)
    return names


def switched(file, mistakes):
    """The functions of a file, by name, with some mistakes in them."""
    names = dict(_switched_file(file), SWITCHED={mistake.name for mistake in mistakes})
    for name, function in list(names.items()):
        if getattr(function, "__globals__", None) is _switched_file(file):
            names[name] = types.FunctionType(function.__code__, names, name, function.__defaults__)
    return names
