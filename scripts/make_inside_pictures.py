"""Make the pictures of docs/inside.md: those of examples/look_inside.py, in fewer bytes.

    python scripts/make_inside_pictures.py              trains and draws: about a minute
    python scripts/make_inside_pictures.py FOLDER       takes what look_inside.py put there

It needs matplotlib and Pillow.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "inside.md"
WIDEST = 1100  # pixels


def main():
    """Draw, if need be, and copy what the page shows."""
    with tempfile.TemporaryDirectory() as temporary:
        made = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        if len(sys.argv) == 1:
            example = [sys.executable, ROOT / "examples" / "look_inside.py", "--out", made]
            subprocess.run(example, check=True)
        for name in re.findall(r"\]\(inside/(\w+\.png)\)", PAGE.read_text(encoding="utf-8")):
            with Image.open(made / name) as picture:
                picture = picture.convert("RGB")
            if picture.width > WIDEST:
                height = round(picture.height * WIDEST / picture.width)
                picture = picture.resize((WIDEST, height), Image.Resampling.LANCZOS)
            few = picture.quantize(128, dither=Image.Dither.NONE)
            target = PAGE.parent / "inside" / name
            target.parent.mkdir(exist_ok=True)
            few.save(target, optimize=True)
            print(f"{target.relative_to(ROOT)}  {target.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
