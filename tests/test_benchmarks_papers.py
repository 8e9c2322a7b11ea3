"""The network of 1997 is the paper's, equation by equation, and does what the paper says."""

import dataclasses
import sys

import numpy as np
import pytest
from conftest import needs_jit
from programs import EXAMPLES, load

import rnnlite
from rnnlite import datasets, gradcheck

BENCHMARKS = EXAMPLES.parent / "benchmarks"
papers = load(BENCHMARKS / "papers_1997.py")
FIELDS = datasets.ReberStrings._fields


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def by_the_equations(x, Wx, Wh, b, blocks, size, wide):
    """Hidden activations (T, units), unit by unit as equations 3 to 9 of the appendix say."""
    cells, units = blocks * size, blocks * (size + 2)
    y, s, found = np.zeros(units), np.zeros(cells), []
    for x_t in x:
        net = [x_t @ Wx[:, u] + y @ Wh[:, u] + b[u] for u in range(units)]
        y = y.copy()
        for j in range(blocks):
            y_in = sigmoid(net[cells + j])
            y_out = sigmoid(net[cells + blocks + j])
            for v in range(j * size, (j + 1) * size):
                s[v] = s[v] + y_in * (4 * sigmoid(net[v]) - 2)
                y[v] = y_out * wide * (2 * sigmoid(s[v]) - 1)
            y[cells + j], y[cells + blocks + j] = y_in, y_out
        found.append(y)
    return np.array(found)


# The loop forward in time takes seconds to compile.
every_way = pytest.mark.parametrize("way", [pytest.param("online", marks=pytest.mark.long), "cut"])


@pytest.mark.parametrize(("blocks", "size", "wide"), [(2, 2, 1.0), (3, 1, 1.0), (2, 2, 2.0)])
def test_the_hidden_layer_is_that_of_the_equations_and_its_gradient_is_right(blocks, size, wide):
    cell = papers.memory_cell_blocks(blocks, size, wide, compiled=False)
    layer = rnnlite.Recurrent(
        cell, 3, blocks * (size + 2), return_sequences=True, seed=0, dtype="float64"
    )
    rng = np.random.default_rng(0)
    for values in layer.params.values():
        values[...] = rng.normal(size=values.shape)
    x = rng.normal(size=(2, 6, 3))
    p = layer.params
    for row, h in zip(x, layer(x), strict=True):
        wanted = by_the_equations(row, p["Wx"], p["Wh"], p["b"], blocks, size, wide)
        np.testing.assert_allclose(h, wanted, rtol=1e-12, atol=1e-14)
    assert gradcheck.check(layer, x).passed


@pytest.fixture
def plain(monkeypatch):
    """Cells in plain NumPy: nothing to compile for a few sequences."""
    compiled = papers.memory_cell_blocks
    monkeypatch.setattr(
        papers, "memory_cell_blocks", lambda *sizes: compiled(*sizes, compiled=False)
    )


def test_networks_have_as_many_weights_as_in_the_paper(plain):
    def reber(blocks, size):
        return papers.Network1997(
            7, 7, blocks, size, weights=0.2, lr=0.5, seed=0, only_gates_biased=True
        )

    assert reber(4, 1).weights == 264 and reber(3, 2).weights == 276
    assert papers.Network1997(2, 1, 2, 2, weights=0.1, lr=0.5, seed=0).weights == 93


@pytest.mark.parametrize("linear", [False, True])
def test_learning_is_a_step_down_the_gradient_of_half_the_squared_error(plain, linear):
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(5, 3)).astype("f4"), rng.random((2, 2)).astype("f4")

    def net():
        return papers.Network1997(
            3, 2, 2, 1, weights=0.5, lr=1e-2, seed=3, way="full", linear=linear
        )

    def error(network):
        y = network(x[None], np.array([5]))[0, -2:]
        return 0.5 * np.sum((y - targets).astype("f8") ** 2)

    before, after = net(), net()
    start = error(before)
    after.learn(x, targets)
    moved = [
        (before.hidden.flat_params, after.hidden.flat_params),
        (before.W.reshape(-1), after.W.reshape(-1)),
        (before.c, after.c),
    ]
    # By differences: the step is -lr dE/dw in every weight.
    for old, new in moved:
        for k in range(len(old)):
            kept, h = old[k], 2e-2
            old[k] = kept + h
            up = error(before)
            old[k] = kept - h
            slope = (up - error(before)) / (2 * h)
            old[k] = kept
            assert abs((kept - new[k]) / 1e-2 - slope) < 2e-3, (k, slope)
    assert error(after) < start


@every_way
@pytest.mark.parametrize(("linear", "wide"), [(False, 1.0), (True, 1.0), (False, 2.0)])
def test_the_gradient_of_the_paper_goes_back_in_the_states_alone(plain, way, linear, wide):
    # By equations: with h of the step before given, error flows from s to s; differences agree.
    rng = np.random.default_rng(1)
    x, target = rng.normal(size=(4, 3)).astype("f4"), np.array([[0.9]], "f4")
    net = papers.Network1997(
        3, 1, 2, 1, weights=0.8, lr=1.0, seed=5, way=way, linear=linear, wide=wide
    )
    p = net.hidden.params
    h = net.hidden(x[None])[0].astype("f8")
    before = np.concatenate([np.zeros((1, 6)), h[:-1]])  # these do not move
    W = np.concatenate([p["Wx"], p["Wh"]]).astype("f8")
    b, V, c = p["b"].copy(), net.W.copy(), net.c.copy()
    inputs = np.concatenate([x, before], axis=1)

    def error(W):
        s = np.zeros(2)
        for row in inputs:
            a = sigmoid(row @ W + b)
            s = s + a[2:4] * (4 * a[:2] - 2)
        y = (a[4:] * wide * (2 * sigmoid(s) - 1)) @ V + c
        y = y if linear else sigmoid(y)
        return 0.5 * np.sum((y - target) ** 2)

    slopes = np.zeros_like(W)
    for at in np.ndindex(W.shape):
        moved = [W.copy(), W.copy()]
        moved[0][at] += 1e-6
        moved[1][at] -= 1e-6
        slopes[at] = (error(moved[0]) - error(moved[1])) / 2e-6
    net.learn(np.concatenate([x, x]), target, 4)  # what is behind the end does not count
    step = W - np.concatenate([p["Wx"], p["Wh"]])
    np.testing.assert_allclose(step, slopes, rtol=2e-3, atol=1e-6)
    assert abs(slopes[3:]).max() > 1e-5


@every_way
def test_an_output_within_the_tolerance_teaches_nothing(plain, way):
    def net(tolerance):
        return papers.Network1997(
            3, 2, 2, 1, weights=0.5, lr=1.0, seed=3, way=way, tolerance=tolerance
        )

    x = np.random.default_rng(0).normal(size=(4, 3)).astype("f4")
    said = net(0.0)(x[None], np.array([4]))[0, -1:]
    targets = said + np.array([[0.29, -0.31]], "f4")  # one too near to count, one not
    moved, still = net(0.3), net(0.0)
    moved.learn(x, targets)
    still.learn(x, np.stack([said[0, :1], targets[0, 1:]], axis=1))  # as if the first were right
    np.testing.assert_allclose(moved.W, still.W, atol=1e-6)
    np.testing.assert_allclose(moved.hidden.flat_params, still.hidden.flat_params, atol=1e-6)
    assert abs(moved.W - net(0.0).W)[:, 1].max() > 1e-3


@every_way
def test_an_offset_is_added_to_the_slope_of_the_outputs(plain, way):
    def step(offset):
        net = papers.Network1997(3, 2, 2, 1, weights=0.5, lr=1.0, seed=3, way=way, offset=offset)
        y, before = (
            net(x[None], np.array([4]))[0, -1:],
            (net.W.copy(), net.hidden.flat_params.copy()),
        )
        net.learn(x, y + error)
        return y, before[0] - net.W, before[1] - net.hidden.flat_params

    x = np.random.default_rng(0).normal(size=(4, 3)).astype("f4")
    error = np.array([[0.2, -0.3]], "f4")
    y, *without = step(0.0)
    offset = float(y[0, 1] * (1 - y[0, 1]))  # twice the slope of the second output, then
    _, *with_it = step(offset)
    np.testing.assert_allclose(with_it[0][:, 1], 2 * without[0][:, 1], rtol=1e-3, atol=1e-7)
    assert abs(with_it[1] - without[1]).max() > 1e-4


@every_way
def test_biases_that_the_paper_does_not_have_stay_zero(plain, way):
    net = papers.Network1997(
        7, 7, 3, 2, weights=0.2, lr=0.5, seed=0, only_gates_biased=True, way=way
    )
    x = np.eye(7, dtype="f4")[[0, 1, 2]]
    before = net.hidden.params["b"].copy()
    net.learn(x, x)
    assert not net.hidden.params["b"][:6].any() and not net.c.any()
    assert (net.hidden.params["b"][6:] != before[6:]).all()


@pytest.mark.long  # compiled in a few seconds
def test_the_first_string_that_is_wrong_is_found_from_where_one_looks():
    strings, rng = papers.both_sets(0), np.random.default_rng(0)
    net = papers.Network1997(
        7, 7, 3, 2, weights=2.0, lr=0.1, seed=0, out_bias=-1.0 - np.arange(3),
        only_gates_biased=True, wide=2.0,
    )  # fmt: skip
    net.W[...] = 8.0 * rng.normal(size=net.W.shape)
    scores = net(strings.x, strings.lengths)
    # What this network puts first is legal, but for a few strings: there is something to find.
    legal = (scores >= np.sort(scores, axis=-1)[..., -2:-1]).astype(np.float32)
    for row in rng.choice(512, 5, replace=False):
        legal[row, rng.integers(strings.lengths[row])] = np.eye(7)[0]
    strings = strings._replace(legal=legal)
    wrong = np.flatnonzero(~datasets.reber_correct(scores, legal, strings.lengths))
    assert 3 <= len(wrong) <= 5
    for start in (0, wrong[0], wrong[0] + 1, wrong[-1] + 1):
        after = wrong[wrong >= start]
        assert net.first_wrong(strings, start) == (after[0] if len(after) else wrong[0])
    few = strings._replace(**{name: np.delete(getattr(strings, name), wrong, 0) for name in FIELDS})
    assert net.first_wrong(few) == -1


def test_both_sets_of_the_grammar_are_one_behind_the_other():
    strings = papers.both_sets(3)
    train = datasets.embedded_reber(256, seed=6)
    others = datasets.embedded_reber(256, seed=7, exclude=train)
    assert strings.strings() == train.strings() + others.strings()
    assert strings.legal.shape == strings.x.shape and len(strings.lengths) == 512


@needs_jit
@pytest.mark.long
def test_reber_is_learned_and_judged_as_in_the_paper(capsys):
    needed = papers.report(papers.reber, 1, "100 %")
    assert needed[0] is not None
    assert "1 of 1 runs solved" in capsys.readouterr().out


@needs_jit
@pytest.mark.long
@pytest.mark.by_hand
def test_adding_that_is_not_solved_says_so_and_counts_the_wrong_ones():
    solved, words = papers.adding(0, steps=20, limit=3000)
    assert solved is None and words.startswith("93 weights; ")
    wrong = int(words.split(";")[1].split()[0])
    assert 1500 < wrong < 2560  # a guess is right once in six


# ---- the modern recipe ---------------------------------------------------------------------------


@pytest.fixture
def tasks():
    return load(BENCHMARKS / "tasks.py")


@needs_jit
@pytest.mark.long
def test_the_recipe_learns_to_count_and_prints_its_row(tasks, capsys):
    needed, figures = tasks.measure("anbn", [0])
    shown = capsys.readouterr().out
    assert needed[0] <= 30_000 and figures[0] >= 10
    assert f"| 1 of 1, after {needed[0]:,}" in shown.splitlines()[-1]


@needs_jit
def test_what_is_not_solved_is_said_so_and_what_goes_on_too(tasks, capsys, monkeypatch):
    monkeypatch.setattr(tasks, "SHOWN", 2000)
    recipe = tasks.changed(tasks.TASKS["anbncn"].recipe, ["limit=4000"])
    needed, _ = tasks.measure("anbncn", [0], recipe)
    shown = capsys.readouterr().out
    assert needed == [None] and "not solved" in shown
    assert [line.split(" sequences")[0].strip() for line in shown.splitlines()[1:3]] == [
        "2,000", "4,000",
    ]  # fmt: skip


def test_a_run_is_finished_once_for_each_seed_and_recipe(tasks, monkeypatch, tmp_path, capsys):
    ran = []

    def run(task, seed, recipe):
        ran.append((seed, recipe.lr))
        return {"sequences": 2000 * (seed + 1), "figure": 10.0, "seconds": 1.0}

    monkeypatch.setattr(tasks, "run", run)
    file, task = tmp_path / "runs.jsonl", tasks.TASKS["anbn"]
    assert tasks.measure("anbn", [0], results=file) == ([2000], [10.0])
    assert tasks.measure("anbn", [0, 1], results=file) == ([2000, 4000], [10.0, 10.0])
    assert "| 2 of 2, after 3,000 (2,000 to 4,000); 10 (10 to 10)" in capsys.readouterr().out
    tasks.measure("anbn", [1], tasks.changed(task.recipe, ["lr=0.5"]), results=file)
    tasks.measure("anbncn", [1], results=file)
    assert ran == [(0, task.recipe.lr), (1, task.recipe.lr), (1, 0.5), (1, 0.01)]
    assert len(file.read_text(encoding="utf-8").splitlines()) == 4


def test_seconds_are_those_of_the_processor(tasks, monkeypatch):
    clock = iter([5.0, 7.5])
    monkeypatch.setattr(tasks, "train", lambda task, seed, recipe: (None, 2000))
    monkeypatch.setattr(tasks.time, "process_time", lambda: next(clock))
    task = dataclasses.replace(tasks.TASKS["reber"], figure=lambda model, seed: 3)
    assert tasks.run(task, 0, task.recipe) == {"sequences": 2000, "figure": 3, "seconds": 2.5}


def test_the_step_size_falls_to_a_half(tasks, monkeypatch):
    rates = []

    def learn(task, model, optimizer, batch, last):
        rates.append(optimizer.lr)
        return np.zeros(1), 0.0

    monkeypatch.setattr(tasks, "learn", learn)
    task = dataclasses.replace(tasks.TASKS["anbn"], solved=lambda *_: False)
    recipe = tasks.changed(task.recipe, ["lr=0.5", "half=2000", "limit=4000", "batch=1000"])
    tasks.train(task, 0, recipe)
    assert rates == [0.5, 0.5 / 1.5, 0.25, 0.2]


def test_first_values_of_a_network_are_those_of_the_recipe(tasks):
    recipe = tasks.Recipe(300, 0.01, 2000, memory=100, drive=4.0)
    lstm = tasks.build(tasks.TASKS["spikes-49"], 0, recipe).layers[0]
    i, f, g, o = lstm.params["b"].reshape(4, -1)
    u = np.exp(f.astype(np.float64))
    assert 1 <= u.min() < 3 and 97 < u.max() <= 99 and abs(u.mean() - 50) < 5
    np.testing.assert_array_equal(i, -f)
    assert not g.any() and not o.any()
    assert 3.9 < abs(lstm.params["Wx"]).max() <= 4 and abs(lstm.params["Wx"].mean()) < 0.1


def test_the_last_step_has_its_share_of_the_loss(tasks):
    task = tasks.TASKS["lag-2b"]
    data, rng = task.draw(3, 0), np.random.default_rng(0)
    y = rng.normal(size=(3, 100, 101)).astype(np.float32)
    loss, dy = task.loss(y, data, last=0.5)
    at_last = rnnlite.softmax_cross_entropy(y[:, -1], data.y[:, -1])[0]
    before = rnnlite.softmax_cross_entropy(y[:, :-1], data.y[:, :-1])[0]
    assert loss == pytest.approx(0.5 * at_last + 0.5 * before, rel=1e-6)
    right = np.eye(101)[data.y[0, -1]]
    probabilities = np.exp(y[0, -1]) / np.exp(y[0, -1]).sum()
    np.testing.assert_allclose(dy[0, -1], 0.5 / 3 * (probabilities - right), rtol=1e-4, atol=1e-8)
    # Where rows have lengths, the last step of each.
    task = tasks.TASKS["reber"]
    data = task.draw(2, 10_000)
    y = rng.normal(size=data.legal.shape).astype(np.float32)
    ends = [rnnlite.softmax_cross_entropy(y[[k], n - 1], data.y[[k], n - 1])[0]
            for k, n in enumerate(data.lengths)]  # fmt: skip
    assert task.loss(y, data, last=1.0)[0] == pytest.approx(np.mean(ends), rel=1e-6)


@pytest.mark.parametrize("setting", ["rate=0.1", "lr=fast", "lr", "hidden=null"])
def test_a_setting_that_no_recipe_has_is_refused(tasks, setting):
    with pytest.raises(ValueError, match=f"--set {setting}: (there is no 'rate'|wanted )"):
        tasks.changed(tasks.TASKS["anbn"].recipe, [setting])


def test_a_share_of_the_last_step_is_refused_without_classes(tasks, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tasks.py", "lag-2a", "adding", "--set", "last=0.5"])
    with pytest.raises(SystemExit):
        tasks.main()
    assert "--set last: adding is not judged by one class at each step" in capsys.readouterr().err


def test_every_task_goes_through_its_network_loss_and_criterion(tasks):
    for name, task in tasks.TASKS.items():
        model = tasks.build(task, 0)
        few = task.draw(20, 10_000)
        y = model.forward(few.x, lengths=getattr(few, "lengths", None))
        loss, dy = task.loss(y, few)
        assert np.isfinite(loss) and dy.shape == y.shape, name


def test_the_page_has_a_row_for_every_task_with_its_criterion_and_what_was_published(tasks):
    page = (BENCHMARKS.parent / "docs" / "tasks.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and "`tasks.py " in line]
    assert len(rows) == len(tasks.TASKS)
    for (name, task), row in zip(tasks.TASKS.items(), rows, strict=True):
        title, _, criterion, published, _, command, _ = row.strip("| ").split(" | ")
        assert (title, criterion, published) == (task.title, task.criterion, task.published)
        assert command == f"`tasks.py {name}`"
