"""The site: it is built without a warning and without a network, and its links lead somewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from house_docstrings import SHOWN
from house_reading import name_of
from pages import needs

import rnnlite

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
# Rooms of the package that have a page, or a part of one, of their own.
MODULES = {"cells", "datasets", "distributed", "functional", "gradcheck", "initializers", "inside",
           "interop", "layers", "reference", "saving", "schedules"}  # fmt: skip
NO_NETWORK = """
import socket, sys
def refuse(*_, **__): raise OSError("the site needs no network")
socket.socket.connect = socket.getaddrinfo = refuse
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""


def test_every_name_of_the_library_is_in_the_reference():
    text = "".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))
    there = set(re.findall(r"^\.\. auto(?:class|function):: (\w+)$", text, re.M))
    shown = set(re.findall(r"^\.\. automodule:: ([\w.]+)$", text, re.M))
    inside = {"rnnlite.inside": ("explain", "trace"), "rnnlite.saving": ("load", "save")}
    for module, names in inside.items():
        assert module in shown
        there.update(names)
    assert set(rnnlite.__all__) - MODULES == there
    by_name = {"__init__.py", "layers/__init__.py", "optim/__init__.py", "reference/__init__.py"}
    assert {name_of(module) for module in SHOWN if module not in by_name} <= shown


def test_every_module_of_the_plain_networks_is_shown():
    text = (REFERENCE / "plain_numpy.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\.\. prose-beside-code:: rnnlite\.reference\.(\w+)$", text, re.M)
    files = {file.stem for file in (ROOT / "rnnlite" / "reference").glob("*.py")} - {"__init__"}
    assert sorted(shown) == sorted(files)


# ---- what follows needs the extra "docs" ---------------------------------------------------


@pytest.fixture
def extensions(monkeypatch):
    needs("sphinx")
    monkeypatch.syspath_prepend(DOCS / "extensions")


def test_a_formula_that_is_not_known_is_a_warning(extensions, monkeypatch):
    import mathml

    said = []
    monkeypatch.setattr(mathml.logger, "warning", lambda text, *parts, location: said.append(text))
    letter = '<mi mathvariant="normal" class="letter">h</mi>'
    assert f"<msub>{letter}<mn>3</mn></msub>" in mathml.mathml("h_3", "inline")
    assert not said
    mathml.mathml(r"\unheardof", "inline")
    mathml.mathml(r"\left(x", "inline")
    assert len(said) == 2


def test_every_line_of_code_and_every_comment_is_in_a_row(extensions):
    from prose_beside_code import rows

    source = '"""A."""\n\n# One\n# two.\nx = 1\ny = 2  # y\nz = 3  # fmt: skip\n\n\n'
    source += 'def f():\n    """F."""\n    return x\n'
    assert [(row.prose, [line for line in row.code if line]) for row in rows(source)] == [
        ("A.", []),
        ("One two.", ["x = 1"]),
        ("y", ["y = 2"]),
        ("", ["z = 3"]),
        ("F.", ["def f():", "    return x"]),
    ]


def test_an_indented_block_is_shown_as_it_is_written(extensions):
    from docstrings import shown_as_written

    text = [
        "A:",
        "",
        "    a = 1",
        "    b = 2",
        "",
        "B.",
        "",
        "Parameters",
        "----------",
        "x",
        "    y",
    ]
    assert shown_as_written(text) == ["A:", "", ".. code-block:: text", "", *text[2:]]
    written = ["A::", "", "    a = 1", "", "- one", "", "  two"]
    assert shown_as_written(written) == written


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    needs("sphinx")
    where = tmp_path_factory.mktemp("site")
    arguments = ["-q", "-W", "--keep-going", "-d", where / "trees", DOCS, where / "html"]
    built = subprocess.run(
        [sys.executable, "-c", NO_NETWORK, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return where / "html"


class Page(HTMLParser):
    """What a page links, what it loads, and the places in it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loads, self.places = set(), set(), {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.places.update(filter(None, (values.get("id"), values.get("name"))))
        if tag == "a" and values.get("href"):
            self.links.add(values["href"])
        elif address := values.get("src") or (tag == "link" and values.get("href")):
            self.loads.add(address)


@pytest.fixture(scope="module")
def site_pages(site):
    return {file: Page(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}


@pytest.mark.long
def test_every_link_inside_the_site_leads_somewhere(site, site_pages):
    assert len(site_pages) > 100
    lost = []
    for file, page in site_pages.items():
        for link in page.links | page.loads:
            if re.match(r"https?:|mailto:|data:", link):
                continue
            address, _, place = unquote(link).partition("#")
            target = (file.parent / address.partition("?")[0]).resolve() if address else file
            there = target.is_file()
            if there and target in site_pages:
                there = place in site_pages[target].places
            if not there:
                lost.append((file.relative_to(site), link))
    assert not lost


@pytest.mark.long
def test_a_page_loads_nothing_from_a_network(site, site_pages):
    for file, page in site_pages.items():
        assert not [address for address in page.loads if re.match(r"(?!data:)\w+:|//", address)], (
            file
        )
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\W*(https?:)?//", style.read_text(encoding="utf-8"))


@pytest.mark.long
def test_the_pages_have_what_they_promise(site):
    lesson = (site / "lessons" / "2_backpropagation_through_time.html").read_text(encoding="utf-8")
    assert lesson.count("<math") > 50 and "$" not in re.sub(r"<[^>]*>", "", lesson)
    digits = (site / "digits.html").read_text(encoding="utf-8")
    assert digits.startswith("<!DOCTYPE html>") and len(digits) > 200_000
    frame = (site / "running_network.html").read_text(encoding="utf-8")
    assert 'src="digits.html"' in frame
    beside = (site / "reference" / "plain_numpy.html").read_text(encoding="utf-8")
    assert beside.count('class="lines') > 100
    search = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "lstm_backward" in search
