"""What ``explain`` writes: a file that holds its data safely, and needs nothing else."""

import base64
import json
import re

import numpy as np
import pytest
from conftest import assert_refused, needs_jit
from layer_cases import rng

import rnnlite
from rnnlite import GRU, LSTM, RNN, Bidirectional, Dense, Embedding, Sequential, explain, trace
from rnnlite.datasets import Vocabulary
from rnnlite.inside.explain import SCRIPTS, TEMPLATE

B, T, I, H = 4, 6, 3, 5
EVIL = "</script><script>alert(1)</script><!--<b>&amp;\u2028"


def digits():
    return Sequential([LSTM(I, H, seed=0), Dense(H, 2, seed=1)])


def data_of(page):
    """The data in a page, as the browser finds them."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.html)
    return json.loads(text)


def unpacked(packed):
    numbers = np.frombuffer(base64.b64decode(packed["data"]), "<f4")
    return numbers.reshape(packed["shape"])


def x_of(*shape):
    return rng().normal(size=shape).astype(np.float32)


def test_it_holds_the_weights_the_examples_and_the_trace_of_the_first():
    model, x, labels = digits(), x_of(B, T, I), [1, 0, 1, 0]
    data = data_of(explain(model, x, labels=labels))
    for name, array in model.params.items():
        key, _, name = name.rpartition(".")
        np.testing.assert_array_equal(unpacked(data["weights"][key][name]), array)
    for n, example in enumerate(data["examples"]):
        np.testing.assert_array_equal(unpacked(example["x"]), x[n])
        assert example["target"] == [labels[n]]
    found = trace(model.copy(dtype="float64"), x[:1].astype(float), labels=labels[:1])
    recorded = data["recorded"]
    np.testing.assert_allclose(unpacked(recorded["output"]), found.output, rtol=1e-6)
    np.testing.assert_allclose(unpacked(recorded["dx"]), found["0"].dx[0], rtol=1e-6, atol=1e-9)
    names = {"i", "f", "g", "o", "c", "h", "dh", "dc", "dz_i", "dz_f", "dz_g", "dz_o"}
    assert set(recorded["layers"]["0"]) == names
    for name, packed in recorded["layers"]["0"].items():
        wanted = getattr(found["0"], name)[0]
        np.testing.assert_allclose(unpacked(packed), wanted, rtol=1e-6, atol=1e-9)


@needs_jit
def test_a_page_of_the_reference_network_stays_below_a_megabyte():
    model = Sequential([LSTM(28, 128, seed=0), Dense(128, 10, seed=1)])
    page = explain(model, x_of(100, 28, 28), labels=np.zeros(100, int))
    assert len(page.html.encode()) < 1_000_000
    assert len(data_of(page)["examples"]) == 20 and data_of(page)["rows"] == 100


def test_nothing_in_it_is_fetched():
    page = explain(digits(), x_of(B, T, I)).html
    shown = re.sub(r'<script type="application/json".*?</script>', "", page)
    for forbidden in ("fetch(", "import(", "Worker", "XMLHttp", "src=", "@import", "url(", "eval("):
        assert forbidden not in shown, forbidden
    addresses = set(re.findall(r"\w+://[^\"' )]+", shown))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}
    assert re.findall(r'href="([^"]*)"', shown) == ["data:,"]  # no icon is asked for
    assert "default-src 'none'" in shown  # nor could it be
    assert len(re.findall("<script", page)) == 2 and 'type="module"' not in page


def test_scripts_and_styles_cannot_end_early_and_make_no_markup():
    for name in (*SCRIPTS, "page.css"):
        text = (TEMPLATE / name).read_text(encoding="utf-8")
        assert "</script" not in text and "</style" not in text and "<!--" not in text
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)
    assert len((TEMPLATE / "network.js").read_text().splitlines()) <= 500


def test_texts_of_a_person_are_never_markup():
    page = explain(digits(), x_of(B, T, I), class_names=[EVIL, "b"])
    assert data_of(page)["names"] == [EVIL, "b"]
    assert "alert(1)</script>" not in page.html and len(re.findall("<script", page.html)) == 2
    words = Sequential([Embedding(3, 2, seed=0), RNN(2, 2, seed=1), Dense(2, 2, seed=2)])
    page = explain(words, [[0, 1, 2]], vocabulary="<&\u2028")
    assert data_of(page)["characters"] == ["<", "&", "\u2028"] and "\u2028" not in page.html

    class Evil(rnnlite.Layer):
        def forward_pass(self, x, saved):
            return x

        def backward_pass(self, dy, saved):
            return dy

        def __repr__(self):
            return EVIL

    page = explain(Sequential([RNN(I, H, seed=0), Evil()]), x_of(B, T, I))
    assert EVIL in data_of(page)["reason"] and "alert(1)</script>" not in page.html
    frame = page._repr_html_()
    assert len(re.findall("<", frame)) == 2 and frame.count("<iframe") == 1  # it, and its end


def test_in_jupyter_it_is_a_frame_with_the_whole_page():
    import html

    page = explain(digits(), x_of(B, T, I))
    frame = page._repr_html_()
    (inside,) = re.findall(r'srcdoc="([^"]*)"', frame)
    assert html.unescape(inside) == page.html and 'sandbox="allow-scripts"' in frame
    assert repr(page).startswith("Page of Sequential([LSTM(3, 5), Dense(5, 2)]), ")


def test_the_file_is_the_page_and_replaces_what_was_there(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    page = explain(digits(), x_of(B, T, I), path)
    assert path.read_text(encoding="utf-8") == page.html
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="there is no folder"):
        page.save(tmp_path / "none" / "page.html")


def test_the_model_is_as_before():
    model = digits()
    model.flat_grads[...] = 3.0
    before = model.flat_params.copy()
    explain(model, x_of(B, T, I), labels=[0, 1, 0, 1])
    np.testing.assert_array_equal(model.flat_params, before)
    assert np.all(model.flat_grads == 3.0)


def test_rows_end_where_their_lengths_say():
    model = Sequential([GRU(I, H, return_sequences=True, seed=0), Dense(H, 2, seed=1)])
    x, labels = x_of(B, T, I), np.ones((B, T), int)
    x[1, 2:], labels[1, 2:] = np.nan, 99  # padding
    data = data_of(explain(model, x, labels=labels, lengths=[T, 2, 3, 4]))
    assert [e["x"]["shape"][0] for e in data["examples"]] == [T, 2, 3, 4]
    assert [len(e["target"]) for e in data["examples"]] == [T, 2, 3, 4]
    rows = [row[:n] for row, n in zip(x_of(B, T, I), (2, T, 3, 4), strict=True)]
    data = data_of(explain(model, rows))
    assert [e["x"]["shape"][0] for e in data["examples"]] == [2, T, 3, 4]


def test_what_is_derived_follows_from_the_labels():
    every = Sequential([RNN(I, H, return_sequences=True, seed=0), Dense(H, 2, seed=1)])
    x = x_of(B, T, I)

    def question(model, **keywords):
        return data_of(explain(model, x, **keywords))["recorded"]["question"]

    best = int(digits()(x[:1])[0].argmax())
    assert question(digits()) == {"score": best}
    assert question(digits(), labels=[1, 0, 0, 0]) == {"target": [1], "classes": True}
    one_hot = np.eye(2)[[1, 0, 0, 0]]
    assert question(digits(), labels=one_hot) == {"target": [1], "classes": True}
    values = np.arange(8.0).reshape(4, 2)
    assert question(digits(), labels=values) == {"target": [[0.0, 1.0]], "classes": False}
    classes = question(every, labels=np.ones((B, T), int))
    assert classes == {"target": [1] * T, "classes": True}
    assert question(every, labels=np.zeros((B, T, 2)))["target"] == [[0.0, 0.0]] * T


@pytest.mark.parametrize(
    ("labels", "names", "are_classes"),
    [
        ([1, 0, 0, 0], None, True),
        ([1, 0, 0, 0], ["a", "b"], True),
        (np.arange(8.0).reshape(4, 2), ["a", "b"], False),
        (None, ["a", "b"], True),  # who names outputs has classes
        (None, None, False),
    ],
)
def test_outputs_are_classes_by_their_labels_or_else_by_their_names(labels, names, are_classes):
    data = data_of(explain(digits(), x_of(B, T, I), labels=labels, class_names=names))
    assert data["classes"] is are_classes and data["names"] == names


def test_a_text_is_asked_for_its_next_characters():
    words = Vocabulary("abc")
    model = Sequential([
        Embedding(3, 2, seed=0), LSTM(2, 4, return_sequences=True, seed=1), Dense(4, 3, seed=2),
    ])  # fmt: skip
    data = data_of(explain(model, [words.encode("abca")], vocabulary=words))
    assert data["characters"] == data["names"] == ["a", "b", "c"]
    assert data["examples"][0]["target"] == [1, 2, 0, None]
    # The last character has no next one: it sends no derivative back.
    twin, x = model.copy("float64"), np.array([words.encode("abca")])
    asked = {"labels": np.array([[1, 2, 0, 0]]), "mask": np.array([[True, True, True, False]])}
    _, dy = rnnlite.losses.softmax_cross_entropy(twin(x), **asked)
    dh = unpacked(data["recorded"]["layers"]["1"]["dh"])
    np.testing.assert_allclose(dh, trace(twin, x, dy=dy)["1"].dh[0], rtol=1e-5, atol=1e-9)
    hot = Sequential([LSTM(3, 4, return_sequences=True, seed=1), Dense(4, 3, seed=2)])
    data = data_of(explain(hot, np.eye(3)[[[0, 1, 2, 0]]], vocabulary="abc"))
    assert data["input"]["kind"] == "one_hot" and data["examples"][0]["target"] == [1, 2, 0, None]


def test_a_network_that_the_page_cannot_run_is_recorded():
    from rnnlite import cells

    own = cells.RNN["tanh"]._replace(
        name="mine", step=lambda z, state: ((z[0],), (z[0],)), compiled=False
    )
    model = Sequential([rnnlite.Recurrent(own, I, H, seed=0), Dense(H, 2, seed=1)])
    x = x_of(B, T, I)
    data = data_of(explain(model, x, labels=[0, 1, 0, 1]))
    assert data["network"] is None and "has a cell that is none of rnnlite's" in data["reason"]
    found = trace(model, x[:1], labels=[0])
    for name in ("h", "z_h", "dh", "dz_h"):
        packed = data["recorded"]["all"]["0"][name]
        wanted = getattr(found["0"], name)[0]
        np.testing.assert_allclose(unpacked(packed), wanted, rtol=1e-4, atol=1e-6)
        assert packed["meaning"]
    # The answer after every step is that of the row cut off there.
    answers = unpacked(data["recorded"]["answers"])
    for t in range(T):
        np.testing.assert_allclose(answers[t], model(x[:1, : t + 1])[0], rtol=1e-4, atol=1e-6)

    class Mine(LSTM):  # may compute anything
        pass

    model = Sequential([Mine(I, H, seed=0), Dense(H, 2, seed=1)])
    assert "a layer that is none of rnnlite's" in data_of(explain(model, x))["reason"]


def test_which_last_layer_reads_a_unit_is_known():
    model = Sequential([
        RNN(I, H, return_sequences=True, seed=0), rnnlite.Dropout(0.5, seed=0),
        Bidirectional(GRU(H, H, seed=1), seed=2), Dense(2 * H, 2, seed=3),
    ])  # fmt: skip
    found = {
        layer["key"]: layer["readout"] for layer in data_of(explain(model, x_of(B, T, I)))["layers"]
    }
    wanted = {
        "0": None,
        "2.forward": {"key": "3", "from": 0},
        "2.backward": {"key": "3", "from": H},
    }
    assert found == wanted


@pytest.mark.parametrize(
    ("error", "fragments", "keywords"),
    [
        (TypeError, ["explain: model is of type int"], {"model": 3}),
        (ValueError, ["Dense(3, 2)", "has no recurrent layer"], {"model": Dense(3, 2, seed=0)}),
        (ValueError, ["explain: x has shape (3,)"], {"x": np.zeros(3)}),
        (ValueError, ["explain: x has NaN"], {"x": np.full((B, T, I), np.nan)}),
        (ValueError, ["labels holds float64 of shape (3,)", "(4,) (classes), or shape (4, 2)"],
         {"labels": np.zeros(3)}),
        (ValueError, ["labels runs from 0 to 5; each must lie in 0..1"], {"labels": [0, 1, 5, 0]}),
        (ValueError, ["labels has NaN"], {"labels": np.full((B, 2), np.nan)}),
        (ValueError, ["lengths runs from 1 to 9"], {"lengths": [1, 9, 1, 1]}),
        (ValueError, ["lengths has 0 in row 2"], {"lengths": [1, 2, 0, 1]}),
        (ValueError, ["class_names has 3 names; the model has 2"], {"class_names": list("abc")}),
        (TypeError, ["class_names is 'ab'; wanted a list of 2 names"], {"class_names": "ab"}),
        (ValueError, ["vocabulary was given, and x has shape (4, 6, 3)", "one-hot vectors"],
         {"vocabulary": "abc"}),
        (ValueError, ["has 'a' at place 2", "no character twice"], {"vocabulary": "aba"}),
        (ValueError, ["vocabulary is empty"], {"vocabulary": ""}),
        (TypeError, ["vocabulary is 3; wanted a Vocabulary or a str"], {"vocabulary": 3}),
    ],
    ids=lambda value: str(value[0])[:30] if isinstance(value, list) else "",
)  # fmt: skip
def test_what_cannot_be_shown_is_refused(error, fragments, keywords):
    arguments = {"model": digits(), "x": x_of(B, T, I)} | keywords
    assert_refused(error, fragments, explain, **arguments)


def test_weights_and_indices_that_mean_nothing_are_refused():
    model = digits()
    model.params["0.b"][0] = np.inf
    assert_refused(ValueError, ["weights that are NaN or infinite"], explain, model, x_of(B, T, I))
    words = Sequential([Embedding(9, 2, seed=0), RNN(2, 2, seed=1)])
    fragments = ["vocabulary has 3 characters, but x has the index 8"]
    assert_refused(ValueError, fragments, explain, words, [[8, 1]], vocabulary="abc")
