"""Models, and the pages that ``explain`` writes of them, opened in a real browser."""

import numpy as np
import pytest
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
    Flatten,
    LayerNorm,
    Sequential,
    explain,
)

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


def answers(page):
    return np.array(page.run("return now.answers.map((a) => [...a])"))


def read(page):
    """What the page reads now, and what it answers."""
    return np.array(page.run("return state.xs.map((x) => x.length ? [...x] : x)")), np.array(
        page.run("return [...now.output[0]]")
    )
