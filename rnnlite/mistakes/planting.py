"""Functions in which mistakes are planted: their own text, with lines exchanged, executed.

Only text of the package's own files is executed, never a person's.
"""

import ast
import functools
import importlib
import inspect

FILES = ("rnn", "lstm", "peephole_lstm", "gru", "gru_2014", "parts", "methods")


@functools.cache
def file_text(file):
    """The text of a file of ``subjects``."""
    return inspect.getsource(importlib.import_module(f"rnnlite.mistakes.subjects.{file}"))


@functools.cache
def places():
    """For every function of the files: its file, its first and last line."""
    found = {}
    for file in FILES:
        for node in ast.parse(file_text(file)).body:
            if isinstance(node, ast.FunctionDef):
                found[node.name] = file, node.lineno, node.end_lineno
    return found


def subject_names():
    """Names of all functions in which mistakes can be planted."""
    return tuple(places())


def file_of(subject):
    """The file that holds a function."""
    if subject not in places():
        known = ", ".join(places())
        raise ValueError(f"mistakes: subject is {subject!r}; wanted one of {known}")
    return places()[subject][0]


@functools.cache
def called(subject):
    """A function and all functions of its file that it names, and those that they name."""
    file = file_of(subject)
    tree = {node.name: node for node in ast.parse(file_text(file)).body if hasattr(node, "name")}
    found = [subject]
    for name in found:
        words = {node.id for node in ast.walk(tree[name]) if isinstance(node, ast.Name)}
        found += [other for other in tree if other in words and other not in found]
    return tuple(found)


def code_of(line):
    """A line without indentation and comment."""
    return line.split("  #")[0].strip()


def line_of(mistake, subject):
    """Number of the line, from 1, that a mistake exchanges in the file of a function."""
    if subject not in mistake.subjects:
        raise ValueError(
            f"mistakes: {mistake.name} is none of {subject}, but of {', '.join(mistake.subjects)}"
        )
    file, first, last = places()[subject]
    lines = file_text(file).splitlines()
    found = [n for n in range(first, last + 1) if code_of(lines[n - 1]) == mistake.right]
    if len(found) != 1:
        raise ValueError(
            f"mistakes: {mistake.right!r} stands {len(found)} times in {subject}; wanted once"
        )
    return found[0]


def planted_text(file, mistakes):
    """The text of a file with mistakes in it, in every function of it that they are made in.

    A missing line leaves an empty line, so that all others keep their numbers.
    """
    lines = file_text(file).splitlines()
    for mistake in mistakes:
        for subject in mistake.subjects:
            if file_of(subject) == file:
                n = line_of(mistake, subject) - 1
                indent = lines[n][: len(lines[n]) - len(lines[n].lstrip())]
                comment = "".join(lines[n].partition("  #")[1:])
                lines[n] = indent + mistake.wrong + comment if mistake.wrong else ""
    return "\n".join(lines) + "\n"


@functools.cache
def _planted_file(file, mistakes):
    names = {"__name__": f"rnnlite.mistakes.subjects.{file}"}
    title = ", ".join(mistake.name for mistake in mistakes) or "right"
    exec(compile(planted_text(file, mistakes), f"<{file}.py: {title}>", "exec"), names)
    return names


def text(subject, *mistakes):
    """The text of a function, with mistakes planted in it.

    Parameters
    ----------
    subject : str
    *mistakes : Mistake

    Returns
    -------
    str

    Examples
    --------
    >>> from rnnlite import mistakes
    >>> print(mistakes.text("dense_forward", mistakes.named("dense-no-bias")))
    def dense_forward(x, W, b):
        \"\"\"y (N, O) = x (N, I) W (I, O) + b (O,).\"\"\"
        y = x @ W
        return y
    """
    file, first, last = file_of(subject), *places()[subject][1:]
    return "\n".join(planted_text(file, mistakes).splitlines()[first - 1 : last])


def function(subject, *mistakes):
    """A function with mistakes planted in it, and in what it calls; without any, the right one.

    Parameters
    ----------
    subject : str
        A name of ``subject_names``.
    *mistakes : Mistake

    Returns
    -------
    function

    Examples
    --------
    >>> import numpy as np
    >>> from rnnlite import mistakes
    >>> wrong = mistakes.function("dense_forward", mistakes.named("dense-no-bias"))
    >>> wrong(np.ones((1, 2)), np.ones((2, 1)), np.ones(1))
    array([[2.]])
    """
    return _planted_file(file_of(subject), mistakes)[subject]
