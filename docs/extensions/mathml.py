r"""Mathematics as MathML, which browsers draw themselves: no script, no font, no network.

``$h_t = \tanh(z)$`` becomes ``<math>`` while the site is built; what cannot be translated is a
warning, and so an error.
"""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util import logging

logger = logging.getLogger(__name__)
# Browsers take slanted letters from a font for mathematics, one by one, and few computers have one.
# As text in italics (site.css) all letters are of one font everywhere.
LETTER = re.compile(r"<mi>(&#x\w+;|\w)</mi>")
# A hat that is an accent falls upon its letter where the font has no place for it.
HAT = re.compile(r'<mover accent="true">((?:(?!<mover).)*?)<mo>&#x0005E;</mo></mover>')
# Browsers know lengths, not the old names of lengths.
SPACES = {"thinmathspace": "0.167em", "mediummathspace": "0.222em", "thickmathspace": "0.278em"}


def mathml(formula, display, where=None):
    """A formula of LaTeX as a ``<math>`` element."""
    try:
        element = convert(formula, display=display)
    except Exception as error:
        logger.warning("not a formula: %s (%r)", formula, error, location=where)
        return ""
    if unknown := re.search(r"\\[A-Za-z]+", re.sub("<annotation.*?</annotation>", "", element)):
        logger.warning("%s in %s is not known", unknown[0], formula, location=where)
    element = LETTER.sub(r'<mi mathvariant="normal" class="letter">\1</mi>', element)
    element = HAT.sub(r'<mover>\1<mo stretchy="false">ˆ</mo></mover>', element)
    for name, length in SPACES.items():
        element = element.replace(f'"{name}"', f'"{length}"')
    return element


def visit_inline(writer, node):
    """``$...$``."""
    writer.body.append(mathml(node.astext(), "inline", node))
    raise nodes.SkipNode


def visit_displayed(writer, node):
    """``$$...$$``, on a line of its own that scrolls where the page is narrow."""
    formula = mathml(node.astext(), "block", node)
    writer.body.append(f'<div class="equation">{formula}</div>\n')
    raise nodes.SkipNode


def setup(app):
    """Tell Sphinx."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_displayed, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
