"""Pictures of what is inside: what is drawn, where, with which names and units."""

import pickle
import sys

import numpy as np
import pytest
from conftest import assert_refused
from matplotlib.collections import PathCollection, PolyCollection
from matplotlib.figure import Figure
from pictured import B, H, I, T, X, model

from rnnlite import GRU, LSTM, RNN, Dense, Embedding, Sequential, inside, trace

pytest.importorskip("matplotlib", reason="pictures are an extra")
LENGTHS = np.array([7, 3, 5])
NUMBERS = np.random.default_rng(1).integers(0, 4, (B, T))
ONE_HOT = np.eye(4)[NUMBERS]


def found(layer=LSTM, **options):
    return trace(model(layer), X, labels=[0, 1, 2], **options)


def text(outputs=4):
    return trace(model(sequences=True, outputs=outputs), ONE_HOT, lengths=LENGTHS)


PLOTS = {
    "gates": lambda **k: inside.plot_gates(found(), **k),
    "gates of two rows": lambda **k: inside.plot_gates(found(), ["f", "c"], row=[0, 2], **k),
    "saturation": lambda **k: inside.plot_gate_saturation(found(), **k),
    "flow": lambda **k: inside.plot_gradient_flow(found(), **k),
    "itemised": lambda **k: inside.plot_itemised_gradient(
        model(sequences=True), X, np.zeros((B, T), int), **k
    ),
    "saliency": lambda **k: inside.plot_saliency(model(), X, **k),
    "saliency of a text": lambda **k: inside.plot_saliency(model(), ONE_HOT, symbols="abcd", **k),
    "text": lambda **k: inside.plot_text(text(), "abcd", **k),
    "answers": lambda **k: inside.plot_answers(model(), X, **k),
    "answers to symbols": lambda **k: inside.plot_answers(model(), ONE_HOT, symbols="abcd", **k),
    "counting": lambda **k: inside.plot_counting(found(), NUMBERS, **k),
    "plane": lambda **k: inside.plot_states_in_plane(found(), [0, 1, 1], **k),
}
every_plot = pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)


def visible(axes):
    """Axes and the axes in it that show something."""
    for inner in axes.child_axes:
        yield from visible(inner)
    if axes.axison:
        yield axes


def test_every_picture_is_here():
    drawn = {name for name in inside.__all__ if name.startswith("plot_")}
    used = {name for plot in PLOTS.values() for name in plot.__code__.co_names}
    assert drawn <= used and len(drawn) == 9


@pytest.mark.quick(every=12)
@every_plot
def test_a_picture_is_returned_and_written(plot, tmp_path):
    path = tmp_path / "picture.png"
    figure = plot(path=path)
    assert isinstance(figure, Figure)
    assert path.read_bytes()[:4] == b"\x89PNG" and path.stat().st_size > 5000
    drawn = [axes for axes in figure.axes if axes.has_data()]
    inches = [axes.get_position().size * figure.get_size_inches() for axes in drawn]
    assert np.min(inches) > 1.1 and np.max(figure.get_size_inches()) < 12


def test_a_notebook_shows_a_picture_not_the_name_of_a_figure():
    figure = PLOTS["plane"]()
    for shown in figure, pickle.loads(pickle.dumps(figure)):
        assert shown._repr_png_()[:4] == b"\x89PNG"


@every_plot
def test_it_is_drawn_into_given_axes_and_nowhere_else(plot):
    figure = Figure(figsize=(9, 4))
    left, right = figure.subplots(1, 2)
    assert plot(ax=right) is figure
    assert not left.has_data() and figure.axes[:2] == [left, right]
    assert right.has_data() or not right.axison  # no empty frame around panels
    assert any(axes.has_data() for axes in visible(right))


@every_plot
def test_axes_have_names(plot):
    shown = [axes for axes in visible(part_of(plot())) if axes.has_data() or axes.get_title()]
    assert shown
    for axes in shown:
        assert axes.get_xlabel() or axes.get_ylabel() or axes.get_title()
    assert any(axes.get_xlabel() or axes.xaxis.get_ticklabels() for axes in shown)
    assert any(axes.get_ylabel() for axes in shown)


def part_of(figure):
    """Stands for all axes of a figure."""

    class All:
        child_axes, axison = figure.axes, False

    return All


@every_plot
def test_axes_of_something_else_are_refused(plot):
    assert_refused(TypeError, ["ax is of type int; wanted axes of matplotlib"], plot, ax=3)


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    fragments = ["pip install matplotlib"]
    assert_refused(ImportError, fragments, inside.plot_gates, found())


# ---- what is drawn -----------------------------------------------------------------------------


def test_maps_are_those_of_gate_maps_with_whole_scales():
    figure = inside.plot_gates(found(), row=1)
    maps = inside.gate_maps(found(), row=1).maps
    panels = [axes for axes in figure.axes if axes.images]
    titles = [axes.get_title() for axes in panels]
    assert titles == [
        "input gate i", "forget gate f", "candidate g", "output gate o", "hidden state h",
        "cell state c",
    ]  # fmt: skip
    for axes, (name, array) in zip(panels, maps.items(), strict=True):
        (image,) = axes.images
        np.testing.assert_array_equal(image.get_array(), array)
        low, high = image.get_clim()
        assert (low, high) == (0, 1) if name in "ifo" else low == -high < 0
        assert axes.child_axes[0].get_ylabel() == name
    assert panels[0].get_xlabel() == "time step t"
    assert panels[0].get_ylabel() == "unit, by the step of its largest |h|"


def test_rows_stand_side_by_side_on_one_scale_with_their_valid_steps():
    figure = inside.plot_gates(found(lengths=LENGTHS), ["h"], row=[0, 1], labels=["p", "q", "r"])
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in panels] == ["hidden state h, p", "hidden state h, q"]
    assert [axes.images[0].get_array().shape for axes in panels] == [(H, 7), (H, 3)]
    assert panels[0].images[0].get_clim() == panels[1].images[0].get_clim()


def test_what_was_read_stands_under_the_map():
    figure = inside.plot_gates(found(), ["h"], symbols=["a", "", " ", "", "$", "", "b"])
    axis = figure.axes[0].xaxis
    assert axis.get_ticklocs().tolist() == [0, 2, 4, 6]
    assert [label.get_text() for label in axis.get_ticklabels()] == ["a", "␣", r"\$", "b"]


def test_a_point_of_saturation_is_a_unit():
    figure = inside.plot_gate_saturation(found(), low=0.4, high=0.6)
    assert [axes.get_title() for axes in figure.axes] == [
        "input gate i", "forget gate f", "output gate o",
    ]  # fmt: skip
    shares = inside.gate_saturation(found(), low=0.4, high=0.6)
    for axes, (shut, opened) in zip(figure.axes, shares.values(), strict=True):
        np.testing.assert_array_equal(axes.collections[0].get_offsets(), np.c_[opened, shut])
        assert axes.get_xlabel() == "share of time above 0.6"


def test_flow_has_a_line_for_each_state_of_each_model_told_apart_in_grey():
    traces = {"RNN": found(RNN), "LSTM": found(LSTM), "GRU": found(GRU)}
    (axes,) = inside.plot_gradient_flow(traces).axes
    labels = [line.get_label() for line in axes.lines]
    by_h, by_c = (rf"$\partial L/\partial {state}_t$" for state in "hc")
    assert labels == [f"RNN, {by_h}", f"LSTM, {by_h}", f"LSTM, {by_c}", f"GRU, {by_h}"]
    (of_rnn,) = inside.plot_gradient_flow(traces["RNN"]).axes
    assert [line.get_label() for line in of_rnn.lines] == [by_h]
    assert axes.get_yscale() == "log" and "time step t" in axes.get_xlabel()
    flow = inside.gradient_flow(traces["LSTM"])
    np.testing.assert_allclose(axes.lines[2].get_ydata(), flow["dc"].mean(axis=0), rtol=1e-6)
    looks = {(line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(looks) == 4


def test_flow_can_be_counted_from_the_end_and_relative_to_it():
    shorter = found(lengths=LENGTHS)
    (axes,) = inside.plot_gradient_flow(shorter, states=["h"], from_end=True, relative=True).axes
    (line,) = axes.lines
    assert line.get_xdata().tolist() == list(range(-6, 1))
    norms = inside.gradient_flow(shorter)["dh"]
    last = np.mean([norms[b, n - 1] for b, n in enumerate(LENGTHS)])
    fourth = np.mean([norms[b, n - 4] for b, n in enumerate(LENGTHS) if n > 3])
    np.testing.assert_allclose(line.get_ydata()[[-1, -4]], [1, fourth / last], rtol=1e-6)


def test_an_itemised_gradient_is_blank_where_nothing_flows():
    net, labels = model(sequences=True), np.zeros((B, T), int)
    figure = inside.plot_itemised_gradient(net, X, labels, symbols="abcdefg")
    (image,) = figure.axes[0].images
    norms = inside.itemised_gradient(net, X, labels)
    assert (np.ma.getmaskarray(image.get_array()) == (norms == 0)).all()
    np.testing.assert_array_equal(image.get_array().filled(0), norms)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == list("abcdefg")


def test_saliency_stands_beside_the_input():
    figure = inside.plot_saliency(model(), X, row=1, output=2, lengths=LENGTHS)
    first, second = (axes for axes in figure.axes if axes.images)
    np.testing.assert_array_equal(first.images[0].get_array(), X[1, :3])
    slope = inside.saliency(model(), X[1:2, :3], output=2)[0]
    np.testing.assert_allclose(second.images[0].get_array(), slope, rtol=1e-5)
    assert second.get_title() == "derivative of output 2"
    assert (first.get_xlabel(), first.get_ylabel()) == ("feature", "time step t")
    most = np.quantile(np.abs(slope), 0.99)
    np.testing.assert_allclose(second.images[0].get_clim(), (-most, most), rtol=1e-5)
    nearly_square = inside.plot_saliency(model(), X)  # T / I = 7 / 4
    assert nearly_square.axes[0].images[0].get_array().shape == (T, I)
    long = inside.plot_saliency(RNN(1, 3, seed=0), np.ones((1, 9, 1)))
    assert long.axes[0].images[0].get_array().shape == (1, 9)
    assert long.axes[0].get_xlabel() == "time step t"


def test_a_text_is_coloured_by_its_saliency():
    figure = inside.plot_saliency(model(outputs=4), ONE_HOT, 0, 2, symbols="abcd")
    slope = inside.saliency(model(outputs=4), ONE_HOT, 2)[0]
    norms = np.linalg.norm(slope, axis=1)
    np.testing.assert_allclose(boxes(figure).get_array(), norms, rtol=1e-5)
    np.testing.assert_allclose(boxes(figure).get_clim(), (0, norms.max()), rtol=1e-5)
    assert figure.axes[0].get_title() == "derivative of output 2 (c) by each character"


def boxes(figure):
    (found,) = (c for c in figure.axes[0].collections if type(c) is PolyCollection)
    return found


def test_each_character_has_the_colour_of_the_unit_and_the_next_below():
    figure = inside.plot_text(text(), "abcd", unit=2, name="c", row=2, count=3)
    units = inside.text_units(text(), "abcd", "c", row=2)
    np.testing.assert_array_equal(boxes(figure).get_array(), units.values[:, 2])
    written = [c for c in figure.axes[0].collections if type(c) is PathCollection]
    assert len(written) == 1 + 3  # the text, and three lines below it
    assert all(len(line.get_offsets()) == 5 for line in written)
    assert figure.axes[0].child_axes[0].get_ylabel() == "c of unit 2"
    most = np.abs(units.values[:, 2]).max()
    assert boxes(figure).get_clim() == (-most, most)
    most = int(inside.text_units(text(), "abcd").values.var(axis=0).argmax())
    label = inside.plot_text(text(), "abcd").axes[0].child_axes[0].get_ylabel()
    assert label == f"h of unit {most}"


def test_a_line_of_text_stands_in_boxes_side_by_side_within_the_axes():
    T, x = 70, np.eye(4)[np.arange(70) % 4][None]  # a line of 64 characters, and one of 6
    axes = inside.plot_text(trace(model(sequences=True, outputs=4), x), "abcd", count=1).axes[0]
    (left, right), (below, above) = axes.get_xlim(), axes.get_ylim()
    assert (left, right) == (-0.7, 63.7)
    corners = [path.vertices[:4] for path in boxes(axes.figure).get_paths()]
    assert len(corners) == T
    for n, corner in enumerate(corners):
        column, line = n % 64, (0, corners[64].mean(axis=0)[1])[n // 64]
        wide, tall = (corner - (column, line)).T
        np.testing.assert_allclose(wide, [-0.5, 0.5, 0.5, -0.5], atol=1e-9)
        np.testing.assert_allclose(tall, [-0.6, -0.6, 0.6, 0.6], atol=1e-9)
        assert left < corner[:, 0].min() and corner[:, 0].max() < right
        assert below < corner[:, 1].min() and corner[:, 1].max() < above
    written = [c for c in axes.collections if type(c) is PathCollection]
    assert all(below < place[1] < above for c in written for place in c.get_offsets())
    assert axes.get_xticks().size == 0
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "64"]


def test_answers_mark_the_likeliest_and_the_true_class():
    figure = inside.plot_answers(model(), X, 1, LENGTHS, label=2, class_names="abc")
    above, axes = (axes for axes in figure.axes if axes.images)
    shares = inside.answers(model(), X, LENGTHS)[1, :3]
    np.testing.assert_allclose(axes.images[0].get_array(), shares.T, rtol=1e-5)
    assert axes.lines[0].get_ydata().tolist() == shares.argmax(axis=1).tolist()
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "c (true)"]
    np.testing.assert_array_equal(above.images[0].get_array(), X[1, :3].T)


def test_counting_draws_the_state_beside_the_scaled_count():
    count = np.cumsum(X[..., 0], axis=1)
    figure = inside.plot_counting(found(), count, row=[0, 2], labels=["p", "q", "r"], unit=3)
    lines = figure.axes[0].lines
    np.testing.assert_array_equal(lines[1].get_ydata(), found()["0"].c[0, :, 3])
    slope, start = np.polyfit(count.ravel(), found()["0"].c[..., 3].ravel(), 1)
    wanted = start + slope * count[2]
    np.testing.assert_allclose(lines[2].get_ydata(), wanted, rtol=1e-5, atol=1e-6)
    assert lines[1].get_xdata().tolist() == list(range(1, T + 1))
    legend = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert legend[1:] == ["p", "r"] and figure.axes[0].get_ylabel() == "c of unit 3"


def test_a_row_is_a_line_in_the_plane_and_its_class_a_colour():
    figure = inside.plot_states_in_plane(found(lengths=LENGTHS), [2, 0, 2], class_names="abc")
    axes, plane = figure.axes[0], inside.states_in_plane(found(lengths=LENGTHS))
    paths = [line for line in axes.lines if len(line.get_xdata()) > 1]
    np.testing.assert_array_equal(paths[0].get_xydata(), plane.points[1, :3])
    colours = [line.get_color() for line in paths]
    assert colours[1] == colours[2] != colours[0]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "c"]
    assert axes.get_xlabel() == f"first principal component of h ({plane.share[0]:.0%})"


def test_without_classes_all_rows_have_one_colour_and_no_legend():
    (axes,) = inside.plot_states_in_plane(found()).axes
    assert len({line.get_color() for line in axes.lines if len(line.get_xdata()) > 1}) == 1
    assert axes.get_legend() is None


def test_a_unit_that_is_not_there_is_refused():
    said = [f"unit is above {H - 1}"]
    for draw, arguments in [
        (inside.plot_text, (text(), "abcd")),
        (inside.text_page, (text(), "abcd")),
        (inside.plot_counting, (found(), NUMBERS)),
    ]:
        assert_refused(ValueError, said, draw, *arguments, unit=H)


# ---- the page with a text ----------------------------------------------------------------------


def test_the_page_holds_the_text_and_every_unit(tmp_path):
    net = Sequential([
        Embedding(4, I, seed=0), LSTM(I, H, return_sequences=True, seed=1), Dense(H, 4, seed=2)
    ])  # fmt: skip
    found = trace(net, NUMBERS)
    page = inside.text_page(found, "a<&\n", unit=3, path=tmp_path / "text.html")
    assert (tmp_path / "text.html").read_text(encoding="utf-8") == page
    for part in ('value="3"', f'max="{H - 1}"', "<b>&lt;</b>", "<b>&amp;</b>", "<b>↵</b>"):
        assert part in page
    assert page.count("<span><b>") == T and page.count("<i style") == 4 * T
    assert "http" not in page and "@" not in page.replace("@media", "")
    assert page._repr_html_().startswith('<iframe srcdoc="&lt;!doctype html&gt;')
