"""A student's folder: one file an exercise, never overwritten, and who it belongs to."""

import importlib.util
import json
import sys
import textwrap
from pathlib import Path

from rnnlite.saving.atomic import replace_file

NOTES = "exercises.json"  # the student, and hints already shown


class Folder:
    """The files of one student."""

    def __init__(self, path):
        self.path = Path(path)
        self._notes = self.path / NOTES
        self.notes = {"student": "", "hints": {}}
        if self._notes.exists():
            self.notes |= self._read_notes()

    def _read_notes(self):
        try:
            notes = json.loads(self._notes.read_text("utf-8"))
        except ValueError as error:
            advice = "delete it, or put it right"
            raise SystemExit(f"{self._notes} is no JSON ({error}): {advice}") from None
        fits = isinstance(notes, dict) and isinstance(notes.get("hints", {}), dict)
        if not fits or not isinstance(notes.get("student", ""), str):
            raise SystemExit(f"{self._notes} does not hold a student and hints: delete it")
        return notes

    @property
    def student(self):
        """Name or number of the student, "" if none was given."""
        return self.notes["student"]

    def write_notes(self, **changes):
        """Keep something about this student."""
        self.notes |= changes
        self.path.mkdir(parents=True, exist_ok=True)
        replace_file(self._notes, (json.dumps(self.notes, indent=1) + "\n").encode())

    def file(self, name):
        """The file of an exercise."""
        return self.path / f"{name}.py"

    def started(self):
        """Names of the files that are there, the one that was changed last at the end."""
        files = sorted(self.path.glob("*.py"), key=lambda file: file.stat().st_mtime_ns)
        return [file.stem for file in files]

    def start(self, exercise, position, count):
        """Write the file of an exercise; refuse if it is there."""
        file = self.file(exercise.name)
        self.path.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:  # "x": never over what is there
            stream.write(text_of(exercise, self.student, position, count))
        return file

    def reset(self, exercise, position, count):
        """Begin again; what was there stays beside it, under another name."""
        file, n = self.file(exercise.name), 1
        while (old := file.with_suffix(f".{n}.txt")).exists():
            n += 1
        file.rename(old)
        return self.start(exercise, position, count), old

    def load(self, exercise):
        """The student's function, by running the student's own file."""
        file = self.file(exercise.name)
        spec = importlib.util.spec_from_file_location(f"exercise_{exercise.name}", file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # so that pickles and tracebacks find it
        try:
            spec.loader.exec_module(module)
        except SystemExit as end:  # else a file that ends itself would pass
            raise RuntimeError("the file ends Python itself, by exit or sys.exit") from end
        wanted = entry_of(exercise, self.student)
        if not hasattr(module, wanted):
            raise SystemExit(f"{file} has no function {wanted}; its name must stay as it was")
        return getattr(module, wanted)


def entry_of(exercise, student):
    """The name of the function in the student's file."""
    lines = exercise.start(student).splitlines()
    return [line for line in lines if line.startswith("def ")][-1][4:].split("(")[0]


def text_of(exercise, student, position, count):
    """What a student's file holds at first."""
    about = textwrap.dedent(exercise.about).strip("\n")
    command = f"python -m rnnlite.exercises check {exercise.name}"
    head = (
        f'"""Exercise {position} of {count}: {exercise.title}.\n\n{about}\n\n    {command}\n"""\n\n'
    )
    return head + exercise.start(student)
