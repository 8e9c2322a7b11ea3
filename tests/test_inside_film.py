"""Pictures of a training: the film, and the history."""

import sys

import numpy as np
import pytest
from conftest import assert_refused, assert_same_bits
from pictured import X, model

import rnnlite
from rnnlite import inside, trace

pytest.importorskip("matplotlib", reason="pictures are an extra")


# ---- the film ----------------------------------------------------------------------------------


def train(*callbacks, **options):
    x, y = X.astype("float32"), np.array([0, 1, 2])
    net = model()
    rnnlite.fit(net, x, y, batch_size=3, callbacks=callbacks, progress=False, **options)
    return net


def picture(net):
    return inside.plot_gates(trace(net, X), ["h"])


@pytest.mark.long
def test_a_film_has_its_frames_and_changes_no_bit_of_the_training(tmp_path):
    from PIL import Image

    seen = []

    def look(net):
        seen.append(net.flat_params.copy())
        return picture(net)

    film = inside.Film(look, tmp_path / "film")
    net = train(film, steps=23)
    names = [f"step_{step:06d}.png" for step in (0, 10, 20, 23)]
    assert [frame.name for frame in film.frames] == names
    assert sorted(f.name for f in (tmp_path / "film").iterdir()) == ["film.gif", *names]
    with Image.open(tmp_path / "film" / "film.gif") as animation:
        assert animation.n_frames == 4
    assert_same_bits("parameters", net.flat_params, train(steps=23).flat_params)
    assert_same_bits("first frame", seen[0], model().flat_params)
    assert_same_bits("last frame", seen[-1], net.flat_params)


@pytest.mark.long
def test_a_film_is_taken_when_it_is_told_and_by_default_ever_more_rarely(tmp_path):
    film = inside.Film(picture, tmp_path, steps=[2, 3])
    train(film, steps=3)
    assert [frame.name for frame in film.frames] == ["step_000002.png", "step_000003.png"]
    assert [step for step in range(1001) if inside.Film(picture, tmp_path)._is_due(step)] == [
        0, 10, 20, 50, 100, 200, 500, 1000,
    ]  # fmt: skip


def test_a_film_without_pillow_has_its_frames(tmp_path, monkeypatch):
    film = inside.Film(picture, tmp_path, steps=[])
    film.begin(type("Run", (), {"step": 0, "model": model()}))
    film._draw(type("Run", (), {"step": 7, "model": model()}))
    monkeypatch.setitem(sys.modules, "PIL", None)
    film._join()
    assert [file.name for file in tmp_path.iterdir()] == ["step_000007.png"]


def test_a_film_of_something_else_is_refused(tmp_path):
    assert_refused(TypeError, ["Film: picture is 3"], inside.Film, 3, tmp_path)
    assert_refused(ValueError, ["Film: steps is -1"], inside.Film, picture, tmp_path, [-1])
    nothing = inside.Film(lambda net: None, tmp_path)
    assert_refused(TypeError, ["returned NoneType; wanted a matplotlib figure"], train, nothing)


# ---- history -----------------------------------------------------------------------------------


def history(**options):
    x, y = X.astype("float32"), np.array([0, 1, 2])
    return rnnlite.fit(model(), x, y, batch_size=1, validation=(x, y), progress=False, **options)


def test_the_history_is_drawn_against_what_was_given():
    for options, name, places in [
        ({"epochs": 4}, "epoch", [1, 2, 3, 4]),
        ({"steps": 6}, "step", [3, 6]),
        ({"epochs": 2, "record_every": 2}, "step", [2, 4, 6]),
    ]:
        for axes in history(**options).plot().axes:
            assert axes.get_xlabel() == name
            assert axes.lines[0].get_xdata().tolist() == places


def test_the_best_value_has_a_ring_and_its_figure_stands_off_the_curves():
    run = history(epochs=6)
    figure = run.plot()
    figure.draw_without_rendering()
    for name, axes in zip(("loss", "accuracy"), figure.axes, strict=True):
        column = run[f"val_{name}"]
        best = (min if name == "loss" else max)(column)
        (ring,) = axes.collections
        np.testing.assert_allclose(ring.get_offsets(), [[1 + column.index(best), best]])
        texts = [t.get_text() for t in axes.get_legend().get_texts()]
        assert texts[:2] == ["training", "validation"]
        assert texts[2].startswith(f"best: {best:.3g}"[:8]) and "(epoch " in texts[2]
        legend, inside_axes = axes.get_legend().get_window_extent(), axes.get_window_extent()
        assert legend.y0 >= inside_axes.y1 - 1  # nothing of it is where curves are
        assert not axes.texts
