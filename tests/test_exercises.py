"""The exercises: every solution passes alone, every catalogued wrong answer draws its sentence."""

import contextlib
import json

import numpy as np
import pytest

from rnnlite import exercises, mistakes
from rnnlite.exercises import __main__ as program
from rnnlite.exercises import course, written
from rnnlite.exercises.course import BY_NAME, EXERCISES, NEEDS
from rnnlite.exercises.find_bug import Bug
from rnnlite.exercises.folder import entry_of, text_of

GROUND = [exercise for exercise in EXERCISES if exercise.name in course.GROUND]
every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
# In an exercise without lengths, what is wrong in the padding alone does not show.
WRONG = [
    (exercise, mistake)
    for exercise in EXERCISES
    if exercise.subject
    for mistake in mistakes.of(exercise.subject)
    if exercise.name.startswith("lengths") or not mistake.name.startswith("padding")
]


def answer_of(text, exercise, student):
    """The function in a file's text, with nothing else of the student there."""
    names = {"__name__": "answer"}
    exec(compile(text, f"{exercise.name}.py", "exec"), names)
    return names[entry_of(exercise, student)]


def test_there_are_some_twenty_in_the_order_of_a_course():
    names = exercises.names()
    assert len(names) == len(set(names)) >= 20
    assert list(NEEDS) == names
    assert names[:2] == ["rnn_step", "rnn_forward"]  # those of lesson 1
    assert names.index("rnn_step") < names.index("rnn_backward") < names.index("lstm_step")
    assert names.index("numeric_gradient") < names.index("lstm_step_backward")


@pytest.mark.quick(every=3)
@pytest.mark.parametrize("student", ["", "4711"])
@every_exercise
def test_the_solution_passes_alone_and_the_stub_does_not(exercise, student):
    right = answer_of(exercise.solution(student), exercise, student)
    result = exercises.check(exercise.name, right, student)
    assert result.passed and result.stage == "passed", result.message
    assert exercise.learned in str(result) and ("Next: " in str(result)) == (
        exercise is not EXERCISES[-1]
    )
    stub = answer_of(text_of(exercise, student, 1, 25), exercise, student)
    result = exercises.check(exercise.name, stub, student)
    assert not result.passed and result.message.startswith(f"{exercise.name}: not yet.")


@pytest.mark.quick(every=2)
@pytest.mark.parametrize(
    ("exercise", "mistake"), WRONG, ids=[f"{e.name}-{m.name}" for e, m in WRONG]
)
def test_a_catalogued_wrong_answer_draws_its_own_sentence(exercise, mistake):
    wrong = mistakes.function(exercise.subject, mistake)
    result = exercises.check(exercise.name, wrong, "ada")
    assert (result.passed, result.stage, result.mistake) == (False, "numbers", mistake.name)
    assert str(mistake) in result.message and mistake.why in result.message


def test_two_mistakes_at_once_are_both_named():
    two = [mistakes.named(name) for name in ("bptt-dWx-overwritten", "bptt-db-overwritten")]
    result = exercises.check("rnn_backward", mistakes.function("rnn_backward", *two))
    assert all(str(mistake) in result.message for mistake in two)


def test_a_wrong_answer_of_no_known_kind_is_not_guessed_at():
    def rnn_step(x, h, Wx, Wh, b):
        return np.tanh(x @ Wx + h @ Wh + b) + 0.123

    result = exercises.check("rnn_step", rnn_step)
    assert result.mistake is None and "none of the mistakes known" in result.message


def right(x, h, Wx, Wh, b):
    return np.tanh(x @ Wx + h @ Wh + b)


def spoiling(x, h, Wx, Wh, b):
    h += 1.0
    return right(x, h - 1.0, Wx, Wh, b)


ORDER = {
    "raises": ("call", "KeyError: 'z', in line", lambda **given: given["z"]),
    "nothing": ("names", "returns nothing (None); wanted: return h_new", lambda **given: None),
    "shape": ("shapes", "h_new has shape (1,); wanted (1, 1)", lambda **g: right(**g)[0]),
    "ragged": ("shapes", "h_new is no array", lambda **given: [[1.0], [2.0, 3.0]]),
    "dtype": ("dtype", "h_new holds float32", lambda **given: right(**given).astype("f")),
    "inputs": ("inputs", "changed its input h", spoiling),
    "nan": ("numbers", "one row, one input, one unit", lambda **given: right(**given) * np.nan),
}


@pytest.mark.parametrize("stage, words, function", ORDER.values(), ids=ORDER)
def test_a_check_stops_at_the_first_thing_that_is_wrong_and_shows_it(stage, words, function):
    result = exercises.check("rnn_step", function)
    assert not result.passed and result.stage == stage
    assert words in result.message and "Its inputs were\n  x = [[" in result.message


def test_results_with_names_within_names_are_asked_for_by_name():
    result = exercises.check("lstm_step", lambda **given: (given["h"], given["c"]))
    assert "wanted: return h_new, c_new, (i, f, g, o)" in result.message


def test_numbers_differ_from_student_to_student_and_not_from_time_to_time():
    def wrong(**given):
        return given["h"] * 0.0

    messages = [exercises.check("rnn_step", wrong, student).message for student in "aab"]
    assert messages[0] == messages[1] != messages[2]
    assert exercises.check("rnn_step", wrong, 7) == exercises.check("rnn_step", wrong, "7")


def test_bad_arguments_of_check_are_named():
    with pytest.raises(ValueError, match=r"check: name is 'rnn_stop'; it can be 'rnn_step'"):
        exercises.check("rnn_stop", right)
    with pytest.raises(TypeError, match="check: function is of type int; wanted the function"):
        exercises.check("rnn_step", 3)


def test_students_have_different_bugs_and_the_check_does_not_name_them():
    found = [Bug(str(n), GROUND) for n in range(12)]
    assert len({bug.mistake.name for bug in found}) >= 6
    assert len({bug.exercise.name for bug in found}) >= 3
    for n, bug in enumerate(found[:4]):
        subject, mistake = bug.exercise.subject, bug.mistake
        wrong = mistakes.function(subject, mistake)
        result = exercises.check("find_bug", wrong, str(n))
        assert not result.passed and result.stage == "numbers"
        assert "The bug is still there" in result.message and mistake.why not in result.message
        assert exercises.check("find_bug", mistakes.function(subject), str(n)).passed
        other = next(m for m in mistakes.of(subject) if m.right != mistake.right)
        both = mistakes.function(subject, other)
        assert exercises.check("find_bug", both, str(n)).mistake == other.name


def test_weights_by_hand_are_told_where_they_fail():
    def never_forgets():
        weights = answer_of(BY_NAME["latch"].solution(""), BY_NAME["latch"], "")()
        weights["b"][1], weights["Wx"][1, 1] = 20, 0
        return weights

    message = exercises.check("latch", never_forgets).message
    assert "f = 1.000" in message and "f near 0" in message

    def never_shows():
        weights = answer_of(BY_NAME["latch"].solution(""), BY_NAME["latch"], "")()
        weights["b"][3] = -20
        return weights

    message = exercises.check("latch", never_shows).message
    assert "o = 0.000" in message and "to show, o is near 1" in message
    message = exercises.check("counter", lambda: {"Wx": 1}).message
    assert "a dict with ['Wx']; wanted a dict with the arrays Wx, b, Wh" in message
    message = exercises.check("adder", lambda: dict.fromkeys(("Wx", "Wh", "b", "W", "bias"), 0.0))
    assert "Wx is float64 of shape (); wanted finite numbers (2, 1)" in message.message
    odd = {name: [] for name in ("Wx", "Wh", "b", "W", "bias")}
    for change in ({}, {"Wh": [[1.0], [2.0, 3.0]]}, {"Wh": None}, {1: 2}, {"Wx": [[1], [2, 3]]}):
        result = exercises.check("adder", lambda change=change: odd | change)
        assert result.stage == "shapes" and "wanted" in result.message

    def without_carry():
        weights = answer_of(BY_NAME["adder"].solution(""), BY_NAME["adder"], "")()
        return weights | {"Wh": weights["Wh"] * 0}

    assert "a carry of 1" in exercises.check("adder", without_carry).message


def test_a_cell_whose_gate_is_turned_round_or_whose_derivative_is_wrong_is_told():
    text = BY_NAME["own_cell"].solution("")
    turned = text.replace("f * state[0] + (1.0 - f) * n", "(1.0 - f) * state[0] + f * n")
    result = exercises.check("own_cell", answer_of(turned, BY_NAME["own_cell"], ""))
    assert "as if f and 1 - f had changed places" in result.message
    spoilt = text.replace("f * (1.0 - f)\n", "f\n")
    result = exercises.check("own_cell", answer_of(spoilt, BY_NAME["own_cell"], ""))
    assert "the derivative is not" in result.message


# --- at a terminal --------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    clone = tmp_path / "rnnlite"  # where the README has one begin
    clone.mkdir()
    monkeypatch.chdir(clone)

    def run(*arguments):
        """The exit code, or the sentence in its place, and what was printed."""
        code = None
        with contextlib.suppress(SystemExit):
            code = 2
            try:
                code = program.main([*arguments])
            except SystemExit as end:
                code = end.code
        return code, capsys.readouterr().out

    return run


def test_a_student_s_way_from_the_list_to_a_passed_check(run, tmp_path):
    assert "  1   rnn_step " in run("list")[1]
    assert run("start", "rnn_step", "--student", "ada")[0] is None
    file = tmp_path / "rnnlite" / "exercises" / "rnn_step.py"
    first = file.read_text("utf-8")
    assert first.startswith('"""Exercise 1 of 25: one step of a recurrent network.')
    code, out = run("check")
    assert code == 1 and "not written yet" in out
    file.write_text(first.replace('raise NotImplementedError("to be written")', "return h"))
    code, out = run("check", "--json")
    told = json.loads(out)
    assert code == 1 and told["name"] == "rnn_step" and told["student"] == "ada"
    assert told["stage"] == "numbers" and not told["passed"]
    assert "there and stays as it is" in run("start", "rnn_step")[0]  # never overwritten
    assert "return h\n" in file.read_text("utf-8")
    assert "is ada's; choose another --folder" in run("start", "lstm_step", "--student", "bob")[0]
    assert "hint 1 of 2" in run("hint")[1] and "hint 2 of 2" in run("hint")[1]
    assert "rnn_step.1.txt" in run("reset", "rnn_step")[1]
    assert file.read_text("utf-8") == first
    assert "return h\n" in (file.parent / "rnn_step.1.txt").read_text("utf-8")
    file.write_text(run("solution")[1])
    code, out = run("check")
    assert (
        code == 0
        and "rnn_step: passed." in out
        and "Next: rnn_forward, the loop over time. It needs a loop" in out
    )
    assert "* rnn_step " in run("list")[1]


def test_a_file_that_does_not_run_is_shown_at_its_line(run, tmp_path):
    run("start", "rnn_step")
    file = tmp_path / "rnnlite" / "exercises" / "rnn_step.py"
    file.write_text("import numpy as np\n\ndef rnn_step(x, h, Wx, Wh, b)\n    return 1\n")
    code, out = run("check")
    assert code == 1 and "line 3" in out and "SyntaxError" in out and "importlib" not in out
    file.write_text("import sys\nsys.exit(0)\n")
    code, out = run("check")
    assert code == 1 and "the file ends Python itself" in out
    file.write_text("def rnn_step(**given):\n    raise SystemExit(0)\n")
    code, out = run("check")
    assert code == 1 and "It raised SystemExit" in out and "in line 2" in out
    assert "raise SystemExit(0)" in out  # the student's line, not ours
    file.write_text("x = 1\n")
    assert "has no function rnn_step" in run("check")[0]


def test_what_is_not_there_is_said_with_the_command_that_helps(run):
    assert "start rnn_step" in run("check")[0]
    assert "start lstm_step" in run("check", "lstm_step")[0]
    assert "reset: " in run("reset", "lstm_step")[0]


def test_without_their_folder_solutions_are_not_shown(run, monkeypatch):
    monkeypatch.setattr(written, "SOLUTIONS", "rnnlite.exercises.left_out")
    run("start", "rnn_step")
    assert "comes without solutions" in run("solution")[0]
    assert exercises.check("rnn_step", right).passed
