"""The page of ``explain`` changes the network, shows one unit, and what comes back to it."""

import math
import re

import numpy as np
import pytest
from browser import browser, started_browser
from layer_cases import rng
from opened_page import AGREES, MODELS, B, C, H, I, T, answers, opened, read, stirred, x_of

import rnnlite
from rnnlite import LSTM, Dense, trace

__all__ = ["browser", "opened", "started_browser"]  # fixtures


# ---- what if ---------------------------------------------------------------------------------


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm_by_hand(params, x, f=None, i=None, tanh=np.tanh, cleared=(), unit=None):
    """The scores of LSTM and Dense, in plain loops, with a gate held."""
    hidden = len(params["0.Wh"])
    h = c = np.zeros(hidden)
    for t, row in enumerate(x):
        if t in cleared:
            h = c = np.zeros(hidden)
        z = row @ params["0.Wx"] + h @ params["0.Wh"] + params["0.b"]
        zi, zf, zg, zo = np.split(z, 4)
        gates = {"i": sigmoid(zi), "f": sigmoid(zf)}
        for name, value in (("f", f), ("i", i)):
            if value is not None:
                gates[name][slice(None) if unit is None else unit] = value
        c = gates["f"] * c + gates["i"] * tanh(zg)
        h = sigmoid(zo) * tanh(c)
    return h @ params["1.W"] + params["1.b"]


def choose(page, selector, value):
    page.run(
        "const s = document.querySelector(arguments[0]); s.value = arguments[1];"
        "s.dispatchEvent(new Event('change'))", selector, value,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("does", "changes", "words"),
    [
        (lambda page: choose(page, "#hold-f", "0"), {"f": 0.0}, "f = 0 in all units"),
        (lambda page: choose(page, "#hold-i", "1"), {"i": 1.0}, "i = 1 in all units"),
        (lambda page: (choose(page, "#scope", "one"), choose(page, "#hold-f", "1")),
         {"f": 1.0, "unit": 2}, "f = 1 in one unit"),
        (lambda page: page.find("#identity").click(), {"tanh": lambda z: z}, "no tanh"),
        (lambda page: (page.run("go(4)"), page.find("#forget").click()),
         {"cleared": (4,)}, "state cleared before step 4"),
    ],
    ids=["f = 0", "i = 1", "one unit", "identity", "cleared"],
)  # fmt: skip
def test_the_network_is_changed_and_everything_follows(opened, does, changes, words):
    model, x = stirred(LSTM(I, H, seed=0), Dense(H, C, seed=1)), x_of(B, T, I)
    page = opened(model, x, labels=[2, 0, 1])
    page.run("choose(2)")
    untouched = read(page)[1]
    does(page)
    params = {name: array.astype(float) for name, array in model.params.items()}
    np.testing.assert_allclose(read(page)[1], lstm_by_hand(params, x[0], **changes), rtol=1e-9)
    assert not np.allclose(read(page)[1], untouched)
    told = page.text("#changed")
    assert words in told and "The answer was" in told
    checked = page.run("return [...checks()]")
    assert all(row["agrees"] for row in checked), "the gradient is that of the changed network"
    assert page.text("#verdict") == AGREES
    page.find("#reset").click()
    np.testing.assert_array_equal(read(page)[1], untouched)
    assert page.text("#changed") == ""


@pytest.mark.parametrize("name", ["GRU", "GRU 2014", "ReLU", "both"])
def test_gradients_of_other_changed_cells_are_right_too(opened, name):
    page = opened(MODELS[name](), x_of(B, T, I), labels=[2, 0, 1])
    for gate in page.run("return state.layer.shown.gates"):
        page.run(
            "hold(arguments[0], 1, false); choose(state.unit + 1 < 5 ? state.unit + 1 : 0)", gate
        )
        assert all(row["agrees"] for row in page.run("return [...checks()]")), gate
    page.find("#identity").click()
    page.run("go(3); $('forget').click()")
    assert all(row["agrees"] for row in page.run("return [...checks()]"))


# ---- one unit --------------------------------------------------------------------------------


def test_a_unit_is_chosen_and_shows_what_it_adds_and_its_weights(opened):
    model, x = stirred(LSTM(I, H, seed=0), Dense(H, C, seed=1)), x_of(B, T, I)
    page = opened(model, x, class_names=["no", "yes", "or", "so"])
    page.run("go(3)")
    strip = page.find("[data-name=c]")
    width = strip.size["width"]
    page.run(
        "arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true,"
        "clientX: arguments[0].getBoundingClientRect().left + arguments[1]}))",
        strip,
        width * 3.5 / H,
    )
    assert page.run("return state.unit") == 3 and page.find("#unit").get_attribute("value") == "3"
    h = trace(model, x[:1])["0"].h[0, 3, 3]
    rows = page.run(
        "return [...document.querySelectorAll('#adds .row')]"
        ".map((r) => [...r.children].map((c) => c.textContent))"
    )
    assert [row[0] for row in rows] == ["no", "yes", "or", "so"]
    for (_, _, value), weight in zip(rows, model.params["1.W"][3], strict=True):
        assert float(value.replace("−", "-")) == pytest.approx(h * weight, rel=0.01)
    page.run("$('weights').open = true")
    page.wait("return $('matrices').children.length > 4")
    names = page.run("return [...document.querySelectorAll('.matrix i')].map((i) => i.textContent)")
    assert names == ["i", "f", "g", "o", "i", "f", "g", "o", "h"]
    curves = page.run(
        "return [...document.querySelectorAll('#story .curvename')].map((c) => c.textContent)"
    )
    assert sorted(curves) == ["c", "f", "h", "i", "o"]
    field = page.find("#unit")
    field.clear()
    field.send_keys("1")
    assert page.run("return state.unit") == 1


def test_the_answer_so_far_is_that_of_the_sequence_cut_off_there(opened):
    model, x = MODELS["GRU"](), x_of(B, T, I)
    page = opened(model, x, labels=[2, 0, 1])
    for t in range(T):
        np.testing.assert_allclose(answers(page)[t], model(x[:1, : t + 1])[0], rtol=1e-4, atol=1e-6)
    page.run("go(2)")
    shown = page.run(
        "return [...document.querySelectorAll('#scores .number')].map((n) => n.textContent)"
    )
    scores = model(x[:1, :3])[0]
    wanted = np.exp(scores) / np.exp(scores).sum()
    assert [float(text) for text in shown] == pytest.approx(wanted.tolist(), rel=0.01)


def test_lengths_of_the_gradient_are_drawn_on_the_way_back(opened):
    model, x = MODELS["LSTM"](), x_of(B, T, I)
    page = opened(model, x, labels=[2, 0, 1])
    assert "go backward" in page.text("#norms")
    page.run(f"go({2 * T - 1 - 2})")
    found = trace(model, x[:1], labels=[2])["0"]
    names = page.run(
        "return [...document.querySelectorAll('#norms .curvename')].map((c) => c.textContent)"
    )
    assert sorted(names) == ["∂c", "∂h"]
    path = page.run("return document.querySelector('#norms .curve0').getAttribute('d')")
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
    sizes = [math.log10(np.linalg.norm(found.dh[0, t])) for t in range(2, T)]
    assert np.corrcoef(heights, sizes)[0, 1] < -0.9999, "higher up where it is larger"


def test_what_comes_back_can_be_chosen(opened):
    model = stirred(LSTM(I, H, return_sequences=True, seed=0), Dense(H, C, seed=1))
    x, y = x_of(B, T, I), rng().integers(0, C, (B, T))
    page = opened(model, x, labels=y)
    twin = model.copy(dtype="float64")
    choose(page, "#ask", "last")
    output = twin(x[:1].astype(float))
    loss, _ = rnnlite.softmax_cross_entropy(output[:, -1], y[:1, -1])
    assert page.run("return now.value") == pytest.approx(loss, rel=1e-6)
    choose(page, "#ask", "score")
    choose(page, "#which", "3")
    assert page.run("return now.value") == pytest.approx(output[0, -1, 3], rel=1e-6)
    dy = np.zeros_like(output)
    dy[0, -1, 3] = 1.0
    wanted = trace(twin, x[:1].astype(float), dy=dy)["0"].dc[0]
    found = page.run("return now.steps.map((s) => [...s.dc])")
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)
