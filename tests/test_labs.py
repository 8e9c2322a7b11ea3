"""The laboratories: each claims what came out, refuses what it cannot use, draws a picture."""

import re
import sys

import numpy as np
import pytest
from conftest import needs_jit
from programs import EXAMPLES, load

import rnnlite
from rnnlite import cells, gradcheck

FOLDER = EXAMPLES / "lab"
NAMES = sorted(
    path.stem for path in FOLDER.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")
)
every_lab = pytest.mark.parametrize("name", NAMES)


def lab(name):
    """The module of a laboratory."""
    return load(FOLDER / f"{name}.py")


@needs_jit
@pytest.mark.long
@every_lab
def test_what_it_claims_is_so(name, tmp_path):
    module = lab(name)
    results = module.experiment(module.QUICK)
    claims = module.claims(results)
    assert claims and not [sentence for sentence, holds in claims if not holds]
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    module.draw(results).savefig(tmp_path / "picture.png")


# ---- the program ---------------------------------------------------------------------------------


@pytest.fixture
def run_lab(monkeypatch, capsys):
    """Run a laboratory with these arguments; what it printed."""

    def call(module, name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        module.main()
        return capsys.readouterr().out

    return call


@needs_jit
def test_a_laboratory_prints_its_table_and_its_claims_and_draws(run_lab, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    module, picture = lab("truncation"), tmp_path / "picture.png"
    module.QUICK = module.QUICK._replace(windows=(1, 3), updates=5)
    out = run_lab(module, "truncation", "--quick", "--seeds", 1, "--plot", picture)
    head, *rows = out.split("\n\n")[0].splitlines()
    assert head.split() == ["window", "delay", "2", "delay", "2,", "zero", "state"]
    assert [row.split()[0] for row in rows] == ["1", "3"]
    assert re.search(r"\n\d+ s; median of 1 seeds \(least to most\)\n", out)
    said = out.split("\n\n")[-1].splitlines()
    assert len(said) == 3 and all(re.match(r"(yes|NO )  \w", line) for line in said)
    assert picture.read_bytes().startswith(b"\x89PNG")


@every_lab
def test_bad_options_are_refused_before_anything_is_trained(run_lab, capsys, tmp_path, name):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    module = lab(name)
    for option, value, told in (
        ("--seeds", "0", "'0' is not a whole number from 1 to 1,000"),
        ("--seeds", "two", "'two' is not a whole number from 1 to 1,000"),
        ("--plot", tmp_path / "none" / "x.png", "there is no folder"),
        ("--plot", "x.doc", "ends with none of"),
    ):
        with pytest.raises(SystemExit) as stopped:
            run_lab(module, name, option, value)
        shown = capsys.readouterr()
        assert stopped.value.code == 2 and shown.out == ""
        assert f"argument {option}" in shown.err and told in shown.err


@every_lab
def test_it_says_its_question_and_source_and_stands_in_the_table(name):
    said = lab(name).__doc__
    assert f"python examples/lab/{name}.py\n" in said and f"--plot {name}.png" in said
    assert "The question: " in said and "Predict before you run it: " in said
    assert "\nSource" in said and "\nSeen" in said
    table = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"[{name}.py]({name}.py)" in table


def test_a_spread_is_the_median_and_the_range():
    import laboratory

    assert laboratory.spread([3.0, 1.0, 2.5]) == "2.50 (1.00 to 3.00)"
    assert laboratory.spread([3, 1], ".0f") == "2 (1 to 3)"


# ---- claims that can fail ------------------------------------------------------------------------


def refused(name, results):
    return [not holds for _, holds in lab(name).claims(results)]


def test_a_claim_is_refused_where_the_runs_say_the_opposite():
    far, near = np.array([100, 120]), np.array([20, 30])
    assert not any(refused("counting", {"GRU": (near, None), "LSTM": (far, None)}))
    assert all(refused("counting", {"GRU": (far, None), "LSTM": (near, None)}))

    good, bad = [(1.0, None, None)], [(0.25, None, None)]
    runs = {"rates": (0.1, 0.3), "clipped": [good, good], "not clipped": [bad, bad]}
    assert not any(refused("exploding", runs))
    runs["clipped"], runs["not clipped"] = runs["not clipped"], runs["clipped"]
    assert all(refused("exploding", runs))

    losses = {"latch": {"nothing": [0.1], "forget gate": [0.5]}}
    assert not any(refused("ablation", losses))
    assert all(refused("ablation", {"latch": {"nothing": [0.5], "forget gate": [0.1]}}))

    learned, guessed = [1.0, 1.0], [0.5, 0.5]
    windows = np.array([2, 4])
    right = {(2, True): [guessed, learned], (2, False): [guessed, [0.75, 0.75]]}
    assert not any(refused("truncation", {"windows": windows, "right": right}))
    right = {(2, True): [learned, guessed], (2, False): [learned, guessed]}
    assert all(refused("truncation", {"windows": windows, "right": right}))

    lags = {10: [learned, learned], 40: [guessed, learned]}
    assert not any(refused("forget_bias", {"biases": (0, 4), "lags": lags}))
    lags = {10: [learned, guessed], 40: [learned, guessed]}
    assert all(refused("forget_bias", {"biases": (0, 4), "lags": lags}))

    accuracies = {cell: [learned, learned] for cell in ("GRU", "LSTM", "LSTM, bias 3")}
    accuracies |= {"steps": (10, 40), "RNN": [learned, guessed]}
    assert not any(refused("lag", accuracies))
    accuracies |= {"RNN": [learned, learned], "LSTM, bias 3": [guessed, guessed]}
    assert all(refused("lag", accuracies))

    runs = {("identity", "relu"): np.array([[1.0], [1.0]]), ("x", "relu"): np.array([[0.0], [0.5]])}
    assert not any(refused("initialisation", runs))
    runs = {("identity", "relu"): np.array([[1.0], [0.5]]), ("x", "relu"): np.array([[0.0], [1.0]])}
    assert all(refused("initialisation", runs))


# ---- the cells of the ablation -------------------------------------------------------------------


def layer_of(cell):
    layer = rnnlite.Recurrent(cell, 2, 2, return_sequences=True, seed=0, dtype="float64")
    for number, array in enumerate(layer.params.values()):  # also where zero is the start
        array += 0.3 * np.random.default_rng(number).normal(size=array.shape)
    return layer


PARTS = tuple(lab("ablation").PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_an_lstm_without_a_part_passes_the_gradient_check(part):
    layer = layer_of(lab("ablation").lstm(part, compiled=False))
    report = gradcheck.check(layer, np.random.default_rng(0).normal(size=(2, 3, 2)))
    assert report.passed, str(report)


def test_without_peepholes_and_without_nothing_it_is_the_librarys():
    ablation, x = lab("ablation"), np.random.default_rng(0).normal(size=(2, 5, 2))
    for part, cell in (("nothing", cells.peephole_lstm()), ("peepholes", cells.LSTM)):
        ours, theirs = layer_of(ablation.lstm(part, compiled=False)), layer_of(cell._replace(
            compiled=False
        ))  # fmt: skip
        theirs.params.update({name: ours.params[name] for name in theirs.params})
        np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-12)


def test_each_part_makes_a_difference():
    ablation, x = lab("ablation"), np.random.default_rng(0).normal(size=(2, 5, 2))
    outputs = [layer_of(ablation.lstm(part, compiled=False))(x) for part in PARTS]
    for n, output in enumerate(outputs):
        assert not any(np.allclose(output, other, atol=1e-3) for other in outputs[:n])


def test_an_unknown_part_is_refused():
    with pytest.raises(ValueError, match="without is 'gate'; it can be 'nothing', "):
        lab("ablation").lstm("gate")
