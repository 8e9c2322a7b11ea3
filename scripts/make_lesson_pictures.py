"""Make the pictures of docs/lessons: run each lesson's blocks, keep what they draw, in few bytes.

    python scripts/make_lesson_pictures.py          all lessons
    python scripts/make_lesson_pictures.py 3 4      lessons 3 and 4

It needs matplotlib.
"""

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as lesson 9 does: matplotlib starts NumPy

import matplotlib
from matplotlib import pyplot as plt
from PIL import Image

LESSONS = Path(__file__).resolve().parents[1] / "docs" / "lessons"


def main():
    """Run the lessons that were asked for."""
    numbers = sys.argv[1:] or ["*"]
    matplotlib.use("Agg")
    plt.rcParams["savefig.dpi"] = 150
    for page in sorted(page for number in numbers for page in LESSONS.glob(f"{number}_*.md")):
        text, names = page.read_text(encoding="utf-8"), {"__name__": "__main__"}
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            for block in re.findall(r"^```python[^\n]*\n(.*?)^```", text, re.S | re.M):
                with contextlib.redirect_stdout(io.StringIO()):
                    exec(block, names)
            plt.close("all")
            for name in re.findall(r"\]\(pictures/(\w+\.png)\)", text):
                keep(Path(name), LESSONS / "pictures" / name)


def keep(drawn, target):
    """Write a picture with 64 colours."""
    with Image.open(drawn) as picture:
        few = picture.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    target.parent.mkdir(exist_ok=True)
    few.save(target, optimize=True)
    print(f"{target.name}  {target.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
