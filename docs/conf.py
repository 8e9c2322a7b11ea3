"""How Sphinx builds the site; CONTRIBUTING.md has the command.

The parts that Sphinx does not have stand in ``extensions``, one file an idea.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # rnnlite as it stands here
sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from sources import source_of as linkcode_resolve  # noqa: F401

import rnnlite

project = "rnnlite"
release = version = rnnlite.__version__
author = copyright = "the authors of rnnlite"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.linkcode",
    "sphinx_copybutton",
    "docstrings",
    "mathml",
    "sources",
    "prose_beside_code",
    "running_network",
]
exclude_patterns = ["extensions", "README.md"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_url_schemes = ["http", "https", "source"]  # source: as extensions/sources.py writes it
suppress_warnings = ["myst.header"]  # an index may begin its headings where it likes

html_theme = "furo"
html_title = "rnnlite"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
html_math_renderer = "mathml"
copybutton_selector = "div.highlight-python pre, div.highlight-console pre, div.doctest pre"
copybutton_prompt_text, copybutton_prompt_is_regexp = r">>> |\.\.\. |\$ ", True
pygments_style, pygments_dark_style = "friendly", "monokai"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autoclass_content = "class"
autodoc_default_options = {"members": True}
napoleon_google_docstring = False
napoleon_use_param = napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]  # names, not links
