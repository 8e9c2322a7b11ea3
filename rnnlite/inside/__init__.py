"""Look inside a model: traces, what one reads off them, pictures, an interactive page.

    trace.py       every quantity inside, forward and backward, as arrays
    gates.py       gates and states as maps over time; how often a gate is shut or open
    flow.py        how far gradients reach, and which step's loss sends them
    saliency.py    which inputs an answer hangs on
    text.py        a text coloured by a unit, with the likeliest next characters
    answers.py     the answer while reading
    counting.py    which unit counts
    plane.py       states in the plane of their principal components
    explain.py     one page in which the network runs, forward and backward
    film.py        any of the pictures again and again while a model learns

Functions return arrays; the ``plot_*`` beside each draws them with matplotlib, into ``ax`` if
axes are given, into the file ``path`` too, and returns the figure.
"""

from rnnlite.inside.answers import answers, plot_answers
from rnnlite.inside.counting import Counting, counting, plot_counting
from rnnlite.inside.explain import Page, explain
from rnnlite.inside.film import Film
from rnnlite.inside.flow import (
    gradient_flow,
    itemised_gradient,
    plot_gradient_flow,
    plot_itemised_gradient,
)
from rnnlite.inside.gates import (
    GateMaps,
    gate_maps,
    gate_saturation,
    plot_gate_saturation,
    plot_gates,
)
from rnnlite.inside.plane import Plane, plot_states_in_plane, states_in_plane
from rnnlite.inside.saliency import plot_saliency, saliency
from rnnlite.inside.text import TextUnits, plot_text, text_page, text_units
from rnnlite.inside.text_page import TextPage
from rnnlite.inside.trace import LayerTrace, Trace, trace

__all__ = [
    "Counting", "Film", "GateMaps", "LayerTrace", "Page", "Plane", "TextPage", "TextUnits", "Trace",
    "answers", "counting", "explain", "gate_maps", "gate_saturation", "gradient_flow",
    "itemised_gradient", "plot_answers", "plot_counting", "plot_gate_saturation", "plot_gates",
    "plot_gradient_flow", "plot_itemised_gradient", "plot_saliency", "plot_states_in_plane",
    "plot_text", "saliency", "states_in_plane", "text_page", "text_units", "trace",
]  # fmt: skip
