"""The page that ``explain`` writes, in a real browser: it computes what rnnlite computes."""

import base64
import json
import re

import numpy as np
import pytest
from browser import browser, started_browser
from layer_cases import rng
from opened_page import (
    AGREES,
    MODELS,
    B,
    C,
    H,
    I,
    T,
    answers,
    assert_right,
    digits,
    opened,
    pictures,
    stirred,
    x_of,
)

import rnnlite
from rnnlite import GRU, LSTM, Dense, explain, trace

__all__ = ["browser", "opened", "started_browser"]  # fixtures


# ---- it computes what rnnlite computes -------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_the_page_agrees_and_its_gradient_is_that_of_its_loss(opened, name):
    assert_right(opened(MODELS[name](), x_of(B, T, I), labels=[2, 0, 1]))


@pytest.mark.parametrize("labels", [None, "classes", "values"])
def test_so_it_does_with_an_answer_at_every_step(opened, labels):
    model = stirred(LSTM(I, H, return_sequences=True, seed=0), Dense(H, C, seed=1))
    y = {
        None: None, "classes": rng().integers(0, C, (B, T)), "values": x_of(B, T, C, seed=1),
    }[labels]  # fmt: skip
    page = opened(model, x_of(B, T, I), labels=y, lengths=[5, 7, 3])
    assert_right(page)
    assert page.run("return state.xs.length") == 5
    page.run("takeExample(1); recompute()")
    loss = trace(
        model.copy(dtype="float64"), x_of(B, T, I)[1:2], labels=None if y is None else y[1:2]
    ).loss
    if y is not None:
        assert page.run("return now.value") == pytest.approx(loss, rel=1e-6)


def test_what_is_wrong_shows(opened, tmp_path):
    """One weight after the other is damaged in the file."""
    model = stirred(LSTM(I, H, seed=0), Dense(H, C, seed=1))
    page = opened(model, x_of(B, T, I), labels=[2, 0, 1])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    found = re.search(r'(<script type="application/json" id="data">)(.*?)(</script>)', text)
    for key, name in (("0", "Wx"), ("0", "Wh"), ("0", "b"), ("1", "W"), ("1", "b")):
        data = json.loads(found[2])
        packed = data["weights"][key][name]
        numbers = np.frombuffer(base64.b64decode(packed["data"]), "<f4").copy()
        numbers[1] += 0.01
        packed["data"] = base64.b64encode(numbers.tobytes()).decode()
        damaged = tmp_path / f"damaged_{key}_{name}.html"
        damaged.write_text(
            text[: found.start(2)] + json.dumps(data) + text[found.end(2) :], encoding="utf-8"
        )
        page.open(damaged)
        assert page.text("#verdict").startswith("does not agree with rnnlite: "), (key, name)


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        (LSTM, "s.dz_f = s.dz_f.map((d) => d)"),  # nothing wrong
        (LSTM, "found.dc = found.dc.map((d) => 1.001 * d)"),
        (LSTM, "found.dh[0] *= 1.001"),
        (LSTM, "grads.Wh.forEach((d, k) => { grads.Wh[k] *= 1.001; })"),
        (GRU, "found.dx[0] += 0.001 * Math.abs(found.dx[0])"),
    ],
)
def test_a_mistake_in_the_backward_is_found_by_the_check(opened, cell, line):
    page = opened(stirred(cell(I, H, seed=0), Dense(H, C, seed=1)), x_of(B, T, I), labels=[2, 0, 1])
    name = cell.__name__
    page.run(
        f"const right = {name}.back; {name}.back = (layer, s, dc, change, grads) => {{"
        f"const found = right.call({name}, layer, s, dc, change, grads); {line}; return found; }};"
        "recompute()"
    )
    wrong = [row for row in page.run("return [...checks()]") if not row["agrees"]]
    assert bool(wrong) == ("s.dz_f" not in line)


# ---- what it cannot run, and where it is opened ----------------------------------------------


def test_a_cell_of_ones_own_is_shown_as_recorded_and_the_page_says_so(opened):
    from programs import EXAMPLES, load

    cell = load(EXAMPLES / "custom_cells" / "minimal_gated_unit.py").CELL._replace(compiled=False)
    model, x = stirred(rnnlite.Recurrent(cell, I, H, seed=0), Dense(H, C, seed=1)), x_of(B, T, I)
    page = opened(model, x, labels=[2, 0, 1])
    assert page.text("#verdict") == "recorded by rnnlite; this page does not compute it"
    assert "this page cannot run it" in page.text("#reading-note")
    found = trace(model, x[:1], labels=[2])["0"]
    page.run("choose(4); go(3)")
    strip = page.run("return document.querySelector('[data-name=f]').parentElement.textContent")
    assert f"unit 4: {page.run('return shown(arguments[0])', float(found.f[0, 3, 4]))}" in strip
    page.press("END")
    assert "dh" in page.run(
        "return [...document.querySelectorAll('[data-name]')].map((e) => e.dataset.name)"
    )
    np.testing.assert_allclose(answers(page)[2], model(x[:1, :3])[0], rtol=1e-4, atol=1e-6)
    for hidden in ("#whatif", "#check"):
        assert not page.find(hidden).is_displayed()


def test_texts_of_a_person_are_shown_as_they_are(opened):
    evil = "</script><script>document.title = 'taken'</script><b>bold</b>"
    page = opened(MODELS["RNN"](), x_of(B, T, I), class_names=[evil, "&lt;", "\u2028", "'\""])
    names = page.run(
        "return [...document.querySelectorAll('#scores .name')].map((e) => e.textContent)"
    )
    assert names == [evil, "&lt;", "\u2028", "'\""]
    assert page.run("return document.scripts.length") == 2 and "taken" not in page.driver.title
    assert page.run("return document.querySelectorAll('b b, .name *').length") == 0


def test_in_a_notebook_it_stands_in_a_frame(browser, tmp_path):
    notebook = tmp_path / "notebook.html"
    inside = explain(MODELS["LSTM"](), x_of(B, T, I))._repr_html_()
    notebook.write_text(f"<!DOCTYPE html><meta charset=utf-8><link rel=icon href='data:,'>{inside}")
    browser.open(notebook)
    browser.driver.switch_to.frame(browser.find("iframe"))
    browser.wait("return document.getElementById('verdict').textContent !== ''")
    assert browser.text("#verdict") == AGREES
    browser.driver.switch_to.default_content()


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("name", ["LSTM", "stacked", "GRU 2014"])
def test_nothing_is_wider_than_the_window(opened, width, name):
    page = opened(MODELS[name](), x_of(B, T, I), width, labels=[2, 0, 1])
    for place in (2, 2 * T - 3):
        page.run("go(arguments[0]); $('weights').open = true; $('about').open = true", place)
        assert page.run("return document.documentElement.scrollWidth") <= width
    assert page.run(
        "return [...document.querySelectorAll('button, select')]"
        ".every((b) => b.getBoundingClientRect().right <= innerWidth)"
    )


def test_it_is_dark_at_night_and_light_on_paper(opened):
    page = opened(MODELS["LSTM"](), x_of(B, T, I))
    paper = "return getComputedStyle(document.body).backgroundColor"
    inked = (
        "const options = {willReadFrequently: true};"
        "const copy = document.createElement('canvas').getContext('2d', options);"
        "copy.drawImage(document.querySelector('.past'), 0, 0);"
        "return [...copy.getImageData(0, 0, 1, 1).data]"
    )
    light, pixel = page.run(paper), page.run(inked)
    try:
        page.command(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark"}],
        )
        page.wait(f"return String((() => {{ {inked} }})()) !== '{','.join(map(str, pixel))}'")
        assert page.run(paper) != light
        page.run("dispatchEvent(new Event('beforeprint'))")
        page.command(
            "Emulation.setEmulatedMedia",
            media="print",
            features=[{"name": "prefers-color-scheme", "value": "dark"}],
        )
        assert page.run(paper) == light and page.run(inked) == pixel
        assert not page.find("#play").is_displayed() and page.find("#equation").is_displayed()
        page.run("dispatchEvent(new Event('afterprint'))")
    finally:
        page.command("Emulation.setEmulatedMedia", media="", features=[])


def test_every_control_has_a_name_and_is_reached_by_tab(opened):
    page = opened(digits(), pictures(), labels=[7, 2, 1])
    nameless = page.run(
        "return [...document.querySelectorAll('button, select, input, textarea')].filter((e) => "
        "!e.textContent.trim() && !e.getAttribute('aria-label') && !e.labels?.length)"
        ".map((e) => e.id)"
    )
    assert nameless == []
    page.run("document.activeElement.blur(); scrollTo(0, 0)")
    reached = set()
    for _ in range(60):
        page.press("TAB")
        reached.add(page.run("return document.activeElement.id"))
    wanted = {
        "first",
        "play",
        "slider",
        "pad",
        "clear",
        "ask",
        "hold-f",
        "identity",
        "forget",
        "unit",
        "telling",
        "check-button",
    }
    assert wanted <= reached, wanted - reached
