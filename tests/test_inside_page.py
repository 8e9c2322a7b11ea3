"""The page that ``explain`` writes, in a real browser: it computes what rnnlite computes."""

import base64
import json
import math
import re

import numpy as np
import pytest
from browser import browser, started_browser
from layer_cases import rng

import rnnlite
from rnnlite import (
    GRU,
    LSTM,
    RNN,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    Sequential,
    explain,
    trace,
)

__all__ = ["browser", "started_browser"]  # fixtures

B, T, I, H, C = 3, 7, 3, 5, 4
AGREES = "agrees with rnnlite to 1e-5"


def stirred(*layers):
    """A model whose numbers are large enough to matter."""
    model = Sequential(list(layers))
    for n, array in enumerate(model.params.values()):
        array += 0.4 * rng(n).normal(size=array.shape)
    return model


def x_of(*shape, seed=0):
    return rng(seed).normal(size=shape).astype(np.float32)


def digits(hidden=12):
    return stirred(LSTM(28, hidden, seed=0), Dense(hidden, 10, seed=1))


def pictures(count=3):
    return rnnlite.datasets.mnist_5k().test.images[:count]


@pytest.fixture
def opened(browser, tmp_path):
    """Writes a page, and opens it from the disk."""

    def call(model, x, width=1600, **keywords):
        explain(model, x, tmp_path / "page.html", **keywords)
        browser.open(tmp_path / "page.html", width)
        return browser

    return call


# ---- it computes what rnnlite computes -------------------------------------------------------

MODELS = {
    "LSTM": lambda: stirred(LSTM(I, H, seed=0), Dense(H, C, seed=1)),
    "peephole": lambda: stirred(LSTM(I, H, peephole=True, seed=0), Dense(H, C, seed=1)),
    "clip": lambda: stirred(LSTM(I, H, clip=0.4, seed=0), Dense(H, C, seed=1)),
    "both": lambda: stirred(LSTM(I, H, peephole=True, clip=0.4, seed=0), Dense(H, C, seed=1)),
    "GRU": lambda: stirred(GRU(I, H, seed=0), Dense(H, C, seed=1)),
    "GRU 2014": lambda: stirred(GRU(I, H, reset_after=False, seed=0), Dense(H, C, seed=1)),
    "RNN": lambda: stirred(RNN(I, H, seed=0), Dense(H, C, seed=1)),
    "ReLU": lambda: stirred(RNN(I, H, "relu", seed=0), Dense(H, C, seed=1)),
    "backwards": lambda: stirred(GRU(I, H, go_backwards=True, seed=0), Dense(H, C, seed=1)),
    "bidirectional": lambda: stirred(
        Bidirectional(LSTM(I, H, seed=0), seed=1), Dense(2 * H, C, seed=1)
    ),
    "stacked": lambda: stirred(
        GRU(I, H, return_sequences=True, seed=0), Dropout(0.5, seed=1),
        Bidirectional(RNN(H, H, return_sequences=True, seed=2), "sum", seed=3), LayerNorm(H),
        LSTM(H, H, return_sequences=True, go_backwards=True, seed=4), Activation("silu"),
        Flatten(), Dense(T * H, C, seed=5),
    ),
    **{
        name: lambda name=name: stirred(
            RNN(I, H, seed=0), Dense(H, 8, activation=name, seed=1), Dense(8, C, seed=2)
        )
        for name in ("tanh", "relu", "sigmoid", "gelu", "softplus")
    },
}  # fmt: skip


def assert_right(browser):
    """It agrees with rnnlite, and its gradient with finite differences."""
    assert browser.text("#verdict") == AGREES
    checked = browser.run("return [...checks()]")
    assert len(checked) > 10 and all(row["agrees"] for row in checked), checked
    assert any(abs(row["ours"]) > 1e-4 for row in checked)


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


def answers(page):
    return np.array(page.run("return now.answers.map((a) => [...a])"))


def read(page):
    """What the page reads now, and what it answers."""
    return np.array(page.run("return state.xs.map((x) => x.length ? [...x] : x)")), np.array(
        page.run("return [...now.output[0]]")
    )


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
