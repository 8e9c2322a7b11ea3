"""The directive ``prose-beside-code``: what is said in a module beside the lines of which it is."""

import ast
import importlib
import inspect
import io
import re
import tokenize
from dataclasses import dataclass, field

from docstrings import shown_as_written
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

DOCUMENTED = ast.Module, ast.FunctionDef, ast.ClassDef
FOR_TOOLS = "# fmt:", "# noqa"
MORE = "Parameters, returns, an example"
SECTION = re.compile(r"^-{3,}$")


@dataclass
class Row:
    """Lines of code, and what is said of them: a docstring, a comment, or nothing."""

    prose: str = ""
    is_docstring: bool = False
    is_full: bool = False  # a comment behind a line speaks of that line alone
    code: list = field(default_factory=list)


def rows(source):
    """Cut a module into rows: a docstring or a comment begins one."""
    comments = {
        token.start[0]: token
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    docstrings, hidden = {}, set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            first, last = node.body[0].lineno, node.body[0].end_lineno
            docstrings[getattr(node, "lineno", first)] = text
            hidden.update(range(first, last + 1))
    result = [Row()]
    for number, line in enumerate(source.splitlines(), 1):
        if number in docstrings:
            result.append(Row(docstrings[number], is_docstring=True))
        if number in hidden:
            continue
        comment = comments.get(number)
        code = line[: comment.start[1]].rstrip() if comment else line
        if comment and comment.string.startswith(FOR_TOOLS):
            comment = None
        if not comment:
            if result[-1].is_full:
                result.append(Row())
            result[-1].code.append(code)
        elif code:
            result.append(Row(comment.string.lstrip("# "), is_full=True, code=[code]))
        elif result[-1].prose and not result[-1].is_docstring and not result[-1].code:
            result[-1].prose += f" {comment.string.lstrip('# ')}"  # of several lines
        else:
            result.append(Row(comment.string.lstrip("# ")))
    return [row for row in result if row.prose or "".join(row.code).strip()]


def halves(docstring):
    """What a docstring says, and its sections with arrays and examples."""
    lines = docstring.splitlines()
    ends = [n - 1 for n, line in enumerate(lines) if line == "----------"][:1] or [len(lines)]
    return "\n".join(lines[: ends[0]]), "\n".join(lines[ends[0] :])


def as_rst(docstring):
    """A docstring whose sections' lines stay lines: the names and shapes of arrays."""
    lines = shown_as_written(docstring.splitlines())
    result, within, n = [], False, 0
    while n < len(lines):
        if n + 1 < len(lines) and SECTION.match(lines[n + 1]):
            result += ["", f".. rubric:: {lines[n]}", ""]
            within, n = True, n + 2
            continue
        within = within and bool(lines[n])
        goes_on = within and lines[n].startswith(" ")
        result.append(f"  {lines[n].strip()}" if goes_on else f"{'| ' * within}{lines[n]}")
        n += 1
    return "\n".join(result)


def comment(text):
    """A comment: ``equation   what it means``, one of the two, or a sentence."""
    equation, meaning = re.match(r"(?:(.*?)   *)?(.*)", text, re.S).groups(default="")
    if " = " in meaning and not equation:
        equation, meaning = meaning, ""
    paragraph = nodes.paragraph(classes=["comment"])
    if equation:
        paragraph += [nodes.literal(equation, equation), nodes.Text(" ")]
    paragraph += nodes.Text(meaning)
    return paragraph


class ProseBesideCode(SphinxDirective):
    """``.. prose-beside-code:: rnnlite.reference.lstm``."""

    required_arguments = 1

    def run(self):
        """Two columns: what is said, and the lines of which it is said."""
        module = importlib.import_module(self.arguments[0])
        self.env.note_dependency(inspect.getsourcefile(module))
        whole = nodes.container(classes=["beside"])
        for row in rows(inspect.getsource(module)):
            begins = ["begins"] * row.is_docstring
            prose = nodes.container(classes=["prose", *begins])
            if row.is_docstring:
                text, details = halves(row.prose)
                prose += self.parse_text_to_nodes(as_rst(text))
                if details:
                    prose += nodes.raw("", f"<details><summary>{MORE}</summary>", format="html")
                    prose += self.parse_text_to_nodes(as_rst(details))
                    prose += nodes.raw("", "</details>", format="html")
            elif row.prose:
                prose += comment(row.prose)
            whole += prose
            code = nodes.container(classes=["lines", *begins])
            if text := "\n".join(row.code).strip("\n"):
                code += nodes.literal_block(text, text, language="python")
            whole += code
        return [whole]


def setup(app):
    """Tell Sphinx."""
    app.add_directive("prose-beside-code", ProseBesideCode)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
