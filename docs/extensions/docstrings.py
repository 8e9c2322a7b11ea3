"""The docstrings of the house, as Sphinx wants them.

An indented block of the text, a table or equations, is shown as it is written; only
``Parameters``, ``Returns`` and their like, which follow, are for napoleon.
"""

import re

# Other rooms of the library call these; whoever writes a layer reads of them at ``Layer``.
OF_EVERY_LAYER = {
    "forward_pass", "backward_pass", "check_input", "check_indices", "output_features",
    "stream_parts",
}  # fmt: skip
HEADING = re.compile(r"^(-{3,}|={3,})$")


def shown_as_written(lines):
    """The lines of a docstring, its indented blocks made literal, up to its first heading."""
    result, within = [], False
    for n, line in enumerate(lines):
        if n + 1 < len(lines) and HEADING.match(lines[n + 1]):
            return result + lines[n:]
        indented = line.startswith("  ")
        if indented and not within and (not result or not result[-1]):
            if not list_item(result) and not ends_with_colons(result):
                result += [".. code-block:: text", ""]
            within = True
        elif line and not indented:
            within = False
        result.append(line)
    return result


def ends_with_colons(lines):
    """Whether the text so far announces a literal block itself."""
    return next((line.endswith("::") for line in reversed(lines) if line), False)


def list_item(lines):
    """Whether the text so far ends in an item of a list, which goes on indented."""
    return next((line.startswith("- ") for line in reversed(lines) if line), False)


def process(app, what, name, obj, options, lines):
    """Change a docstring in place, before napoleon reads it."""
    lines[:] = shown_as_written(lines)


def skip(app, what, name, obj, skipped, options):
    """Leave out what Python and other libraries write, and what ``Layer`` says for all."""
    of_others = callable(obj) and not (getattr(obj, "__module__", "") or "").startswith("rnnlite")
    of_a_tuple = (getattr(obj, "__doc__", None) or "").startswith("Alias for field number")
    of_a_layer = name in OF_EVERY_LAYER and not getattr(obj, "__qualname__", "").startswith(
        "Layer."
    )
    return True if of_others or of_a_tuple or of_a_layer else None


def setup(app):
    """Tell Sphinx."""
    app.connect("autodoc-skip-member", skip)
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
