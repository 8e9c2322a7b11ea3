"""Make docs/page.png, the picture of the page that ``rnnlite.explain`` writes.

    python scripts/make_page_picture.py                 trains on the bundled digits, then looks
    python scripts/make_page_picture.py digits.html     looks at a page that is there

It needs Pillow, selenium, and Debian's chromium and chromium-driver.
"""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "page.png"
WIDTH, HEIGHT = 1360, 1010  # pixels, of the window and of the picture
sys.path.append(str(ROOT / "tests"))

from browser import Browser, missing  # noqa: E402


def photographed(page):
    """The picture of a page on its way back through time, half a digit read again."""
    browser = Browser()
    try:
        browser.open(page, WIDTH, HEIGHT)
        browser.wait("return document.getElementById('verdict').textContent !== ''")
        verdict = browser.text("#verdict")
        if not verdict.startswith("agrees"):
            sys.exit(f"make_page_picture.py: the page says: {verdict}")
        browser.find("#examples button:nth-child(13)").click()
        browser.run("document.documentElement.style.overflow = 'hidden'; go(41)")
        browser.wait("return now.phase === 'backward'")
        return Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())).convert("RGB")
    finally:
        browser.driver.quit()


def main():
    """Train, if need be, open the page, keep its picture in few bytes."""
    if reason := missing():
        sys.exit(f"make_page_picture.py: {reason}")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(sys.argv[1] if len(sys.argv) > 1 else f"{folder}/digits.html").resolve()
        if len(sys.argv) == 1:
            example = [sys.executable, ROOT / "examples" / "mnist_lstm.py", "--data", "bundled"]
            subprocess.run([*example, "--explain", page], check=True)
        picture = photographed(page)
    # Colours far from each other: a median cut takes those of the thin curves away.
    few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(TARGET, optimize=True)
    print(f"{TARGET.relative_to(ROOT)}  {picture.size}  {TARGET.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
