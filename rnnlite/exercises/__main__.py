"""The exercises at a terminal: ``python -m rnnlite.exercises``."""

import argparse
import json
import sys
import traceback

from rnnlite.exercises import check
from rnnlite.exercises.course import BY_NAME, EXERCISES
from rnnlite.exercises.folder import Folder
from rnnlite.exercises.written import has_solutions

COMMAND = "python -m rnnlite.exercises"


def parser():
    """The command line."""
    top = argparse.ArgumentParser(prog=COMMAND, description="Exercises that explain themselves.")
    top.add_argument("--folder", default="exercises", help="where your files are (%(default)s)")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="all exercises, and how far you are")
    start = commands.add_parser("start", help="write the file of an exercise")
    start.add_argument("name", nargs="?", choices=list(BY_NAME), metavar="NAME")
    start.add_argument("--student", help="your name or number: the numbers are drawn from it")
    one = commands.add_parser("check", help="look at an answer; without NAME, the last changed one")
    one.add_argument("name", nargs="?", choices=list(BY_NAME), metavar="NAME")
    one.add_argument("--json", action="store_true", help="print the result for a machine")
    one.add_argument("--student", help="check as this student's")
    for command, words in (
        ("hint", "one more hint"), ("solution", "print a right answer"),
        ("reset", "begin again; your file is old under another name"),
    ):  # fmt: skip
        sub = commands.add_parser(command, help=words)
        sub.add_argument("name", nargs="?", choices=list(BY_NAME), metavar="NAME")
    return top


def chosen(name, folder, problem):
    """The exercise that was asked for, or the one whose file was changed last."""
    if name is None:
        started = [n for n in folder.started() if n in BY_NAME]
        if not started:
            first = EXERCISES[0].name
            raise SystemExit(f"{problem}: {folder.path} has no exercise; {COMMAND} start {first}")
        name = started[-1]
    return BY_NAME[name]


def listed(folder):
    """Print all exercises; a mark before those that were started."""
    started = set(folder.started())
    for n, exercise in enumerate(EXERCISES, 1):
        mark = "*" if exercise.name in started else " "
        print(f"{n:3} {mark} {exercise.name:24} {exercise.title}")
    print(f"\n* started in {folder.path}.  Begin: {COMMAND} start {EXERCISES[0].name}")


def begin(arguments, folder):
    """Write a file, of the first exercise that is not there if no name was given."""
    left = [e for e in EXERCISES if not folder.file(e.name).exists()]
    exercise = BY_NAME[arguments.name] if arguments.name else (left or [None])[0]
    if exercise is None:
        raise SystemExit("start: all exercises are started; name one to check or reset")
    if arguments.student is not None:
        if folder.student and folder.student != arguments.student:
            raise SystemExit(f"start: {folder.path} is {folder.student}'s; choose another --folder")
        folder.write_notes(student=arguments.student)
    try:
        file = folder.start(exercise, EXERCISES.index(exercise) + 1, len(EXERCISES))
    except FileExistsError:
        name = exercise.name
        raise SystemExit(
            f"start: {folder.file(name)} is there and stays as it is: check {name}, or reset {name}"
        ) from None
    print(f"{file}: {exercise.title}\nFill it in, then: {COMMAND} check {exercise.name}")


def look(arguments, folder):
    """Check an answer; 0 if it passed, else 1."""
    exercise = chosen(arguments.name, folder, "check")
    if not folder.file(exercise.name).exists():
        raise SystemExit(
            f"check: {folder.file(exercise.name)} is not there; {COMMAND} start {exercise.name}"
        )
    student = folder.student if arguments.student is None else arguments.student
    try:
        function = folder.load(exercise)
    except SystemExit:
        raise
    except Exception:  # the student's file does not run: show where
        lines, file = traceback.format_exc().splitlines(), folder.file(exercise.name)
        own = next((n for n, line in enumerate(lines) if str(file) in line), len(lines) - 1)
        problem = "\n".join([f"{exercise.name}: the file does not run.", "", *lines[own:]])
        answer = {"name": exercise.name, "passed": False, "stage": "file", "message": problem}
        answer["mistake"] = None
    else:
        answer = check(exercise.name, function, student)._asdict()
    if arguments.json:
        print(json.dumps(answer | {"student": student}))
    else:
        print(answer["message"])
    return 0 if answer["passed"] else 1


def hint(arguments, folder):
    """Print the next hint."""
    exercise = chosen(arguments.name, folder, "hint")
    shown = folder.notes["hints"].get(exercise.name, 0)
    n = min(shown, len(exercise.hints) - 1)
    print(f"{exercise.name}, hint {n + 1} of {len(exercise.hints)}: {exercise.hints[n]}")
    folder.write_notes(hints=folder.notes["hints"] | {exercise.name: n + 1})


def solution(arguments, folder):
    """Print a right answer, if this installation has them."""
    exercise = chosen(arguments.name, folder, "solution")
    if not has_solutions():
        raise SystemExit("solution: this installation comes without solutions")
    print(exercise.solution(folder.student), end="")


def again(arguments, folder):
    """Begin an exercise again."""
    exercise = chosen(arguments.name, folder, "reset")
    if not folder.file(exercise.name).exists():
        raise SystemExit(f"reset: {folder.file(exercise.name)} is not there")
    file, old = folder.reset(exercise, EXERCISES.index(exercise) + 1, len(EXERCISES))
    print(f"{file} is as at first; what you had is {old}")


def main(arguments=None):
    """Run one command; returns the exit code."""
    arguments = parser().parse_args(arguments)
    folder = Folder(arguments.folder)
    if arguments.command == "list":
        return listed(folder)
    run = {"start": begin, "check": look, "hint": hint, "solution": solution, "reset": again}
    return run[arguments.command](arguments, folder)


if __name__ == "__main__":
    sys.exit(main())
