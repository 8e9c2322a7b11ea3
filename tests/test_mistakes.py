"""The catalogue of mistakes: each is in its place, and gives other numbers than the right line."""

import ast
import runpy
from pathlib import Path

import numpy as np
import pytest

from rnnlite import mistakes, reference
from rnnlite.mistakes.fitting import results, same
from rnnlite.mistakes.planting import code_of, file_of, file_text, line_of, planted_text

ROOT = Path(__file__).parent.parent
every_subject = pytest.mark.parametrize("subject", mistakes.subject_names())


@every_subject
def test_a_mistake_exchanges_one_line_and_changes_the_numbers(subject):
    right, cases = file_text(file_of(subject)), mistakes.cases(subject)
    for mistake in mistakes.of(subject):
        line, wrong = line_of(mistake, subject), planted_text(file_of(subject), (mistake,))
        assert code_of(right.splitlines()[line - 1]) == mistake.right != mistake.wrong
        assert len(wrong.splitlines()) == len(right.splitlines())
        ast.parse(wrong)
        function = mistakes.function(subject, mistake)
        with np.errstate(all="ignore"):
            numbers = [function(*given) for given in cases]
        assert not same(numbers, results(subject, cases), 1e-6), mistake
        assert same(results(subject, cases, mistake), numbers, 0.0), mistake


@pytest.mark.quick(every=2)
@every_subject
def test_a_planted_mistake_is_found_by_its_numbers_and_no_other(subject):
    cases = mistakes.cases(subject)
    assert mistakes.fitting(subject, cases, results(subject, cases)) == []
    for mistake in mistakes.of(subject):
        found = results(subject, cases, mistake)
        assert mistakes.fitting(subject, cases, found) == [(mistake,)]


def test_the_catalogue_is_large_and_its_names_and_sentences_are_its_own():
    assert len(mistakes.CATALOGUE) >= 40
    assert len({m.name for m in mistakes.CATALOGUE}) == len(mistakes.CATALOGUE)
    for subject in mistakes.subject_names():
        sentences = [m.as_if for m in mistakes.of(subject)]
        assert sentences and len(set(sentences)) == len(sentences), subject


def test_the_page_of_mistakes_is_as_its_generator_writes_it():
    script = ROOT / "scripts" / "make_mistakes_page.py"
    names = runpy.run_path(str(script))
    assert names["PAGE"].read_text(encoding="utf-8") == names["page"](), f"run {script}"


def test_the_failing_report_on_the_page_is_what_its_program_prints(capsys):
    text = (ROOT / "docs" / "gradient_check.md").read_text(encoding="utf-8")
    program, printed = text.split("```python\n")[1], text.split("```text\n")[1]
    exec(program.split("```")[0], {})
    came = capsys.readouterr().out.splitlines()
    wanted = printed.split("```")[0].splitlines()
    assert came[7:] == wanted[7:] and "as if" in came[-3]
    assert [line.split()[0] for line in came[:6]] == [line.split()[0] for line in wanted[:6]]


# ---- the right lines are right -----------------------------------------------------------------

CELLS = {"rnn": "rnn", "lstm": "lstm", "peephole_lstm": "lstm", "gru": "gru", "gru_2014": "gru"}


@pytest.mark.parametrize("file", CELLS)
def test_the_cells_compute_what_the_reference_does(file):
    x, h0, *given, lengths = mistakes.cases(f"{file}_forward")[0]
    lstm, peephole = file.endswith("lstm"), file == "peephole_lstm"
    state, given = ([h0, given[0]], given[1:]) if lstm else ([h0], given)
    options = {"peephole": given.pop()} if peephole else {}
    options |= {"reset_after": False} if file == "gru_2014" else {}
    forward = getattr(reference, f"{CELLS[file]}_forward")
    y, final, cache = forward(x, *given, *state, lengths, **options)
    case = mistakes.cases(f"{file}_backward")[0]
    dy, *dstate = case[: 1 + len(state)]
    # The same seed draws x, the states and the weights first, so both cases are of one run.
    np.testing.assert_array_equal(case[1 + len(state)], x)
    d = getattr(reference, f"{CELLS[file]}_backward")(dy, cache, *dstate)
    p = [options["peephole"]] if peephole else []
    own_y, h, *_ = mistakes.function(f"{file}_forward")(x, *state, *given, *p, lengths)
    np.testing.assert_allclose(own_y, y, atol=1e-12)
    np.testing.assert_allclose(h[:, -1], final[0] if lstm else final, atol=1e-12)
    own = mistakes.function(f"{file}_backward")(*case)
    names = ["dx", "dWx", "dWh", "db"] + ["dpeephole"] * peephole + ["dbh"] * (CELLS[file] == "gru")
    for name, array in zip([*names, "dh0", "dc0"], own, strict=False):
        np.testing.assert_allclose(array, getattr(d, name), atol=1e-12, err_msg=name)
