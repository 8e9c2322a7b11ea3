"""The page of ``explain`` goes through time, and reads what a person draws, writes or types."""

import numpy as np
import pytest
from browser import browser, started_browser
from layer_cases import rng
from opened_page import (
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
    read,
    stirred,
    x_of,
)

import rnnlite
from rnnlite import GRU, LSTM, RNN, Dense, Embedding, trace

__all__ = ["browser", "opened", "started_browser"]  # fixtures


# ---- time ------------------------------------------------------------------------------------


def test_keys_go_through_time_forward_and_then_backward(opened):
    model, x = stirred(LSTM(I, H, seed=0), Dense(H, C, seed=1)), x_of(B, T, I)
    page = opened(model, x, labels=[2, 0, 1])
    found = trace(model.copy(dtype="float64"), x[:1].astype(float), labels=[2])["0"]
    page.press("HOME")
    places = []
    for _ in range(2 * T):
        phase, t, unit = page.run("return [now.phase, now.t, state.unit]")
        places.append((phase, t))
        names = ("c", "h") if phase == "forward" else ("dc", "dh")
        for name in names:
            wanted = getattr(found, name)[0, t, unit]
            value = page.run(
                "return now.steps[arguments[0]][arguments[1]][arguments[2]]", t, name, unit
            )
            assert value == pytest.approx(wanted, rel=1e-5, abs=1e-9)
            shown = page.run("return shown(arguments[0])", value)
            assert page.run("return $('lines').textContent").endswith("fade") == (
                phase == "backward"
            )
            assert shown in page.run("return $('lines').textContent"), (name, shown)
            strip = page.run(
                f"return document.querySelector('[data-name={name}]').parentElement.textContent"
            )
            assert f"unit {unit}: {shown}" in strip
        assert f"t = {t}" in page.text("#now") and phase in page.text("#now")
        page.press("ARROW_RIGHT")
    forward = [("forward", t) for t in range(T)]
    assert places == forward + [("backward", t) for _, t in reversed(forward)]
    page.press("ARROW_LEFT")
    assert page.run("return [now.phase, now.t]") == ["backward", 1]
    page.press("END")
    assert page.run("return [now.phase, now.t]") == ["backward", 0]


def test_slider_buttons_and_play_do_the_same(opened):
    page = opened(stirred(RNN(I, H, seed=0), Dense(H, C, seed=1)), x_of(B, T, I))
    page.find("#first").click()
    page.find("#on").click()
    page.find("#on").click()
    page.find("#back").click()
    assert page.run("return now.t") == 1
    page.find("#slider").send_keys("\ue014")  # right arrow
    assert page.run("return now.t") == 2
    page.find("#play").click()
    assert "pause" in page.text("#play")
    page.wait(f"return state.position === {2 * T - 1} && state.playing === null")
    assert "play" in page.text("#play")
    page.find("#end").click()
    page.run("document.activeElement.blur()")
    page.press(" ")
    page.wait("return state.position > 0 && state.position < 6")
    page.press(" ")
    assert page.run("return state.playing") is None


def test_a_network_that_reads_backwards_is_followed_in_its_own_order(opened):
    model = stirred(GRU(I, H, go_backwards=True, seed=0), Dense(H, C, seed=1))
    page = opened(model, x_of(B, T, I), labels=[2, 0, 1])
    page.press("HOME")
    assert page.run("return now.t") == T - 1
    page.run(f"go({T - 1})")
    assert page.run("return [now.phase, now.t]") == ["forward", 0]
    np.testing.assert_allclose(answers(page)[0], model(x_of(B, T, I))[0], rtol=1e-5, atol=1e-6)


# ---- what it reads ---------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 1600])
def test_a_digit_is_drawn_with_the_mouse_and_read_at_once(opened, width):
    model = digits()
    page = opened(model, pictures(), width, labels=[7, 2, 1])
    page.find("#examples button:nth-child(2)").click()
    np.testing.assert_allclose(read(page)[0], pictures()[1], atol=1e-7)
    page.find("#clear").click()
    assert np.all(read(page)[0] == 0)
    page.drag("#pad", [(0.5, 0.2), (0.5, 0.8)])
    page.wait("return waiting === false")
    x, output = read(page)
    rows = np.flatnonzero(x.max(axis=1) > 0.5)
    assert rows[0] in (4, 5) and rows[-1] in (22, 23) and len(rows) == rows[-1] - rows[0] + 1
    assert x.max() == 1.0 and np.all(np.abs(np.nonzero(x)[1] - 13.5) <= 2)
    np.testing.assert_allclose(output, model(x[None])[0], rtol=1e-4, atol=1e-5)
    page.find("#centre").click()
    moved, output = read(page)
    mass = (moved * np.arange(28)).sum() / moved.sum()
    assert abs(mass - 13.5) <= 0.5 and moved.sum() == pytest.approx(x.sum())
    assert page.run("return document.documentElement.scrollWidth") <= width
    page.find("#check-button").click()
    page.wait("return !$('check-button').disabled")
    assert page.text("#check-verdict").startswith("All ")
    assert len(page.run("return [...document.querySelectorAll('#check-table tbody tr')]")) > 15


def test_it_is_drawn_with_a_finger(opened):
    page = opened(digits(), pictures(), 360, labels=[7, 2, 1])
    page.find("#clear").click()
    page.run("$('pad').scrollIntoView({block: 'center'})")
    box = page.run("return $('pad').getBoundingClientRect()")
    scrolled = page.run("return scrollY")
    x, y, side = box["x"] + box["width"] / 2, box["y"], box["height"]
    for kind, share in (("Start", 0.25), ("Move", 0.5), ("Move", 0.75), ("End", None)):
        points = [] if share is None else [{"x": x, "y": y + share * side}]
        page.command("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=points)
    page.wait("return waiting === false")
    rows = np.flatnonzero(read(page)[0].max(axis=1) > 0.5)
    assert rows[0] in (6, 7) and rows[-1] in (20, 21) and len(rows) == rows[-1] - rows[0] + 1
    assert page.run("return scrollY") == scrolled, "the finger drew, it did not scroll"


def test_it_is_drawn_with_the_keyboard_too(opened):
    page = opened(digits(), pictures(), labels=[7, 2, 1])
    page.find("#clear").click()
    page.run("$('pad').focus()")
    before = page.run("return now.t")
    page.press(" ", "ARROW_DOWN", "ARROW_DOWN", "ARROW_DOWN", " ", "ARROW_RIGHT", "ARROW_RIGHT")
    page.wait("return waiting === false && state.xs.some((x) => x.some((v) => v > 0))")
    x, _ = read(page)
    ink = np.argwhere(x == 1.0)
    assert ink[:, 0].min() in (13, 14) and ink[:, 0].max() in (16, 17)
    assert ink[:, 1].max() <= 14, "the pen was lifted"
    assert page.run("return now.t") == before, "the arrows moved the pen, not time"


def test_a_text_is_edited_character_by_character(opened):
    words = rnnlite.datasets.Vocabulary("abc \n")
    model = stirred(
        Embedding(5, I, seed=0), LSTM(I, H, return_sequences=True, seed=1), Dense(H, 5, seed=2)
    )
    page = opened(model, [words.encode("ab ab"), words.encode("bca\na")], vocabulary=words)
    assert_right(page)
    field = page.find("#text-field")
    assert field.get_attribute("value") == "ab ab"
    field.send_keys("cab")
    page.wait("return state.xs.length === 8 && waiting === false")
    x, _ = read(page)
    np.testing.assert_array_equal(x, words.encode("ab abcab"))
    np.testing.assert_allclose(answers(page), model(x[None])[0], rtol=1e-4, atol=1e-5)
    assert page.run("return now.question.target") == [*words.encode("b abcab").tolist(), None]
    field.send_keys("Z")
    assert "Z is not among the 5 characters" in page.text("#text-problem")
    assert page.run("return state.xs.length") == 8
    assert len(page.run("return [...document.querySelectorAll('#letters button')]")) == 8
    page.find("#letters button:nth-child(3)").click()
    assert page.run("return now.t") == 2


@pytest.mark.parametrize("kind", ["numbers", "indices", "one-hot"])
def test_other_inputs_are_edited_as_numbers(opened, kind):
    recurrent = RNN(I, H, seed=0), Dense(H, C, seed=1)
    if kind == "indices":
        model, x, value = (
            stirred(Embedding(9, I, seed=3), *recurrent),
            rng().integers(0, 9, (B, T)),
            7,
        )
    else:
        model, x, value = stirred(*recurrent), x_of(B, T, I), -0.25
    if kind == "one-hot":
        x = np.eye(I, dtype="float32")[rng().integers(0, I, (B, T))]
        page = opened(model, x, vocabulary="xyz")
        assert_right(page)
        field = page.find("#text-field")
        field.clear()
        field.send_keys("zyx")
        page.wait("return state.xs.length === 3 && waiting === false")
        np.testing.assert_array_equal(read(page)[0], np.eye(3)[::-1])
    else:
        page = opened(model, x)
        page.run("go(2)")
        field = page.find("#numbers input")
        field.clear()
        field.send_keys(str(value))
        page.wait("return waiting === false")
        changed, _ = read(page)
        assert np.ravel(changed[2])[0] == value
    now, output = read(page)
    x = now[None] if kind != "indices" else now[None].astype(int)
    np.testing.assert_allclose(output, model(x)[0], rtol=1e-4, atol=1e-5)
