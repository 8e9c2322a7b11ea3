"""Links out of ``docs`` stay in the site: to pages that show the files themselves.

On the disk and in a repository's browser, ``[the LSTM](../rnnlite/cells/lstm.py)`` is a link to the
file.  In the site the same link leads to a page with its lines, or to the page that was made of
it (``PAGES``).
"""

import functools
import inspect
import os
import posixpath
import re
import sys
from pathlib import Path

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
# Pages of the site whose text is a file outside of docs.
PAGES = {
    "project/readme": "README.md",
    "project/measurements": "benchmarks/README.md",
    "project/tests": "tests/README.md",
    "project/contributing": "CONTRIBUTING.md",
    "project/changes": "CHANGELOG.md",
    "project/security": "SECURITY.md",
}
PAGE_OF = {file: page for page, file in PAGES.items()}
WANTED = set()  # files and folders that pages link
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)\s#]*)(#[^)\s]*)?\)")


def read_source(app, docname, source):
    """Borrow the text of a page in ``PAGES``, and turn the links of any page round."""
    file = ROOT / PAGES[docname] if docname in PAGES else Path(app.env.doc2path(docname))
    if docname in PAGES:
        app.env.note_dependency(str(file))
        source[0] = file.read_text(encoding="utf-8")
    here = posixpath.dirname(docname)
    source[0] = LINK.sub(functools.partial(turned, file.parent, here), source[0])


def turned(folder, here, link):
    """A link of a page in ``folder``, as it must be in the site, where the page is in ``here``."""
    target, anchor = link[1], link[2] or ""
    file = Path(os.path.normpath(folder / target))
    if not target or not file.is_relative_to(ROOT) or not file.exists():
        return link[0]
    name = file.relative_to(ROOT).as_posix()
    if file.is_relative_to(DOCS):
        new = file.relative_to(DOCS).as_posix()
    elif name in PAGE_OF:
        new = f"{PAGE_OF[name]}.md"
    else:
        return f"](source:{name}{anchor})"
    return f"]({posixpath.relpath(new, here or '.')}{anchor})"


def resolve(app, tree, docname):
    """Give links to sources their path from this page."""
    for node in tree.findall(nodes.reference):
        scheme, _, name = node.get("refuri", "").partition(":")
        if scheme == "source":
            WANTED.add(ROOT / name.partition("#")[0])
            node["refuri"] = app.builder.get_relative_uri(docname, f"source/{name}")
            node["internal"] = True


def pages(app):
    """A page for each source that a page of the site links: a file's lines, or a folder's files."""
    for file in sorted(WANTED | {file for folder in WANTED for file in sources_in(folder)}):
        name = file.relative_to(ROOT).as_posix()
        body = listed(file, name) if file.is_dir() else shown(file, name)
        yield f"source/{name}", {"title": name, "body": body}, "page.html"


def sources_in(folder):
    """The sources in a folder and below; a file has none."""
    return folder.glob("*.py") if folder.is_dir() else ()


def listed(folder, name):
    """A folder as a list of links."""
    files = "".join(
        f'<li><a href="{folder.name}/{file.name}.html"><code>{file.name}</code></a></li>'
        for file in sorted(sources_in(folder))
    )
    return f'<h1 class="source">{name}</h1><ul>{files}</ul>'


def shown(file, name):
    """A file's lines, each with a number that can be linked."""
    language = get_lexer_for_filename(file.name) if file.suffix else TextLexer()
    lines = HtmlFormatter(linenos="inline", lineanchors="L")
    text = highlight(file.read_text(encoding="utf-8"), language, lines)
    return f'<h1 class="source">{name}</h1>{text}'


def source_of(domain, info):
    """The page and the line of an object in the reference, for ``sphinx.ext.linkcode``."""
    if domain != "py":
        return None
    found = sys.modules.get(info["module"])
    for part in info["fullname"].split("."):
        found = getattr(found, part, None)
    try:
        found = inspect.unwrap(found)
        file = Path(inspect.getsourcefile(found)).relative_to(ROOT)
        line = inspect.getsourcelines(found)[1]
    except (TypeError, ValueError, OSError):  # data has no lines; a named tuple's are elsewhere
        return None
    WANTED.add(ROOT / file)
    return f"../source/{file.as_posix()}.html#L-{line}"


def setup(app):
    """Tell Sphinx."""
    app.connect("source-read", read_source)
    app.connect("doctree-resolved", resolve)
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
