"""What the programs of this folder share, nothing of it about networks: options, ends, Ctrl-C."""

import argparse
import os
import sys
from pathlib import Path

from rnnlite.training.interrupt import waiting_for_ctrl_c


def number(kind, least, most):
    """A type of option: a number of this kind, from ``least`` to ``most``."""

    def read(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:  # NaN is not
            wanted = f"{'whole ' if kind is int else ''}number from {least:,} to {most:,}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {wanted}")
        return value

    return read


count, width, seed = number(int, 1, 10**9), number(int, 1, 10_000), number(int, 0, 2**62)
rate = number(float, 0, 1_000_000)


def output(text):
    """A type of option: a file to be written.  That it can be is asked before training."""
    folder = Path(text).parent
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: there is no folder {str(folder)!r}")
    if Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder; wanted a file")
    if not os.access(Path(text) if Path(text).exists() else folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} may not be written")
    return text


def picture(text):
    """The same for a picture, which matplotlib must be there to draw, in a format it knows."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise argparse.ArgumentTypeError("matplotlib is needed: pip install matplotlib") from None
    known = Figure().canvas.get_supported_filetypes()
    ending = Path(text).suffix.removeprefix(".").lower()
    if ending and ending not in known:
        raise argparse.ArgumentTypeError(f"{text!r} ends with none of .{', .'.join(sorted(known))}")
    return output(text)


def page(text):
    """The same for a page, which browsers know by its ending."""
    if Path(text).suffix.lower() not in (".html", ".htm"):
        raise argparse.ArgumentTypeError(f"{text!r} does not end with .html")
    return output(text)


class Steps:
    """Numbers of training steps, 1 to ``count``; Ctrl-C ends them after the step it falls into.

    So a program goes on to try what was trained.  A second Ctrl-C ends the program.
    """

    def __init__(self, count):
        self.count, self.done, self.stopped = count, 0, False

    def __iter__(self):
        with waiting_for_ctrl_c() as ctrl_c:
            for step in range(1, self.count + 1):
                yield step
                self.done = step
                self.stopped = ctrl_c.is_set()
                if self.stopped:
                    if sys.stderr is not None and sys.stderr.isatty():
                        print(file=sys.stderr)  # the line that holds ^C
                    print(f"stopped by Ctrl-C after step {self.done} of {self.count}", flush=True)
                    return


def run(main):
    """Run a program; a line or less where Python would show how it was interrupted."""
    name = Path(sys.argv[0]).name
    if sys.stdout is not None:
        sys.stdout.reconfigure(errors="replace")  # where a letter cannot be shown, ?
    try:
        main()
        print(end="", flush=True)
    except KeyboardInterrupt:
        print(f"\n{name}: stopped by Ctrl-C", file=sys.stderr)
        sys.exit(130)  # what shells expect: 128 and the signal's number
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more
        sys.exit(141)
    except MemoryError as error:
        sys.exit(f"{name}: not enough memory: {error}")
