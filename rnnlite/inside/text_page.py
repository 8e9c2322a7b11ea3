"""A page of HTML with a coloured text: one file, no network, a few lines of script."""

import html
import json

import numpy as np

from rnnlite import checking
from rnnlite.inside.canvas import limits, shown
from rnnlite.saving.atomic import replace_file

# cividis at 0, 1/9, ..., 1 (Nunez, Anderton & Renslow 2018).
COLOURS = (
    "00224e", "123570", "3b496c", "575d6d", "707173", "8a8678", "a59c74", "c3b369", "e1cc55",
    "fee838",
)  # fmt: skip

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Text by unit</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.4 system-ui, sans-serif; margin: 1rem; }
p { max-width: 45rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center;
       position: sticky; top: 0; background: Canvas; padding: .5rem 0; }
button, input { font: inherit; padding: .2rem .6rem; } input { width: 5rem; }
#scale { height: 1rem; width: 10rem; background: linear-gradient(to right, @colours@); }
#text { display: flex; flex-wrap: wrap; font-family: ui-monospace, monospace; }
#text span { width: 1.15em; text-align: center; margin-bottom: .6rem; }
#text b, #text i { display: block; font-style: normal; line-height: 1.25; }
#text b { font-weight: 600; line-height: 1.6; } #text i { font-size: .75em; }
.end { flex-basis: 100%; height: 0; }
@media print { form button, form input { display: none; } }
</style></head><body>
<form onsubmit="return false">
<button type="button" id="back">&larr; before</button>
<label>unit <input id="unit" type="number" min="0" max="@last@" value="@unit@"></label>
<button type="button" id="on">next &rarr;</button>
<span id="low"></span><span id="scale" role="img" aria-label="scale"></span><span id="high"></span>
</form>
<p>Each character has the colour of <var>@name@</var> of the chosen unit after it was read.@below@
Arrow keys left and right change the unit.</p>
<div id="text">@text@</div>
<script>
"use strict";
const values = @values@, limits = @limits@, colours = @list@;
const box = document.getElementById("unit");
const letters = document.querySelectorAll("#text b");
function colour(v) {  // v in 0..1, between the two nearest of the list
  const at = v * (colours.length - 1), k = Math.min(Math.floor(at), colours.length - 2);
  const part = n => [0, 2, 4].map(i => parseInt(colours[n].slice(i, i + 2), 16));
  return part(k).map((c, i) => Math.round(c + (at - k) * (part(k + 1)[i] - c)));
}
function show(unit) {
  const last = values.length - 1;
  unit = Math.max(0, Math.min(last, Math.round(unit) || 0));
  box.value = unit;
  const [low, high] = limits[unit];
  document.getElementById("low").textContent = low.toPrecision(2);
  document.getElementById("high").textContent = high.toPrecision(2);
  letters.forEach((letter, t) => {
    const [r, g, b] = colour(values[unit][t] / 100);
    letter.style.background = `rgb(${r}, ${g}, ${b})`;
    letter.style.color = 0.3 * r + 0.59 * g + 0.11 * b < 128 ? "white" : "black";
  });
}
document.getElementById("back").onclick = () => show(+box.value - 1);
document.getElementById("on").onclick = () => show(+box.value + 1);
box.onchange = () => show(+box.value);
document.addEventListener("keydown", event => {
  if (event.key === "ArrowLeft") show(+box.value - 1);
  if (event.key === "ArrowRight") show(+box.value + 1);
});
show(+box.value);
</script></body></html>
"""


class TextPage(str):
    """A page of HTML as a str, which Jupyter shows.

    Examples
    --------
    >>> TextPage("<p>a</p>")._repr_html_()[:15]
    '<iframe srcdoc='
    """

    def save(self, path):
        """Write the page to a file.

        Parameters
        ----------
        path : str or os.PathLike
        """
        replace_file(checking.file_name("TextPage.save", "path", path), self.encode("utf-8"))

    def _repr_html_(self):
        inside = html.escape(self)
        return f'<iframe srcdoc="{inside}" style="width:100%;height:36rem;border:0"></iframe>'


def text_page_of(found, name, unit):
    """The page of a ``TextUnits``, on which ``unit`` is shown first."""
    bounds = [limits([column]) for column in found.values.T]
    parts = [
        np.rint(100 * (column - low) / (high - low)).clip(0, 100).astype(int).tolist()
        for column, (low, high) in zip(found.values.T, bounds, strict=True)
    ]
    count = found.probabilities.shape[1]
    filled = {
        "colours": ", ".join(f"#{c}" for c in COLOURS), "list": json.dumps(COLOURS),
        "last": str(len(parts) - 1), "unit": str(unit), "name": html.escape(name),
        "below": f" Below it stand the {count} characters that the network holds for the likeliest "
        "next, the surer the bolder." if count else "",
        "text": "".join(_letter(found, t) for t in range(len(found.characters))),
        "values": json.dumps(parts, separators=(",", ":")), "limits": json.dumps(bounds),
    }  # fmt: skip
    page = PAGE
    for key, value in filled.items():
        page = page.replace(f"@{key}@", value, 1)
    return page


def _letter(found, t):
    """A character with the likeliest next ones, each as visible as it is likely."""
    below = "".join(
        f'<i style="opacity:{0.35 + 0.65 * float(p):.2f}" title="{float(p):.2f}">'
        f"{html.escape(shown(c))}</i>"
        for c, p in zip(found.likeliest[t], found.probabilities[t], strict=True)
    )
    end = '<div class="end"></div>' if found.characters[t] == "\n" else ""
    return f"<span><b>{html.escape(shown(found.characters[t]))}</b>{below}</span>{end}"
