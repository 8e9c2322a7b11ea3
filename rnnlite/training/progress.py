"""What a person sees while training: a live bar on a terminal, and a line for each record."""

import sys
import time

from rnnlite.training.history import figure_text

REFRESH = 0.1  # seconds
# The figures first: on a narrow terminal the end of a line is cut off.
FORMAT = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}, {rate_fmt}"


class Progress:
    """Lines on the standard error stream, and on a terminal a live bar; silent with False.

    A notebook and a log file get the lines alone, each written at once.
    """

    def __init__(self, show, total, done, epochs, steps_left=None):
        self._bar, self._shown_at, self._steps_left = None, 0.0, steps_left
        self._epochs, self._is_first = epochs, True
        self.on = show is not False and not getattr(sys.stderr, "closed", sys.stderr is None)
        if not self.on or (show is None and not sys.stderr.isatty()):
            return
        try:
            from tqdm import tqdm
        except ImportError:
            self.say("(pip install tqdm for a live bar with speed and time left)")
        else:
            self._bar = tqdm(
                total=total, initial=done, unit=" seq", unit_scale=True, dynamic_ncols=True,
                leave=False, mininterval=REFRESH, bar_format=FORMAT, desc="compiling",
            )  # fmt: skip

    def step(self, sequences, epoch, loss, accuracy):
        """After a training step: what it saw, and means since the last record."""
        bar = self._bar
        if bar is None:
            return
        if bar.total is None and self._steps_left is not None:
            bar.total = bar.n + self._steps_left * sequences
        now = time.monotonic()
        if now - self._shown_at > REFRESH:
            self._shown_at = now
            text = f"loss {loss:.4f}"
            text += "" if accuracy is None else f", accuracy {accuracy:.4f}"
            text += f", epoch {epoch}" + (f"/{self._epochs}" if self._epochs else "")
            bar.set_description_str(text, refresh=False)
        if self._is_first:
            # It compiled kernels, and says nothing of the speed of those to come.
            self._is_first = False
            bar.initial = bar.n = bar.last_print_n = bar.n + sequences
            bar.start_t = bar.last_print_t = time.time()
            bar.refresh()
        else:
            bar.update(sequences)

    def record(self, record):
        """After a record of the history: a line that stays."""
        if not self.on:
            return
        shown = {k: v for k, v in record.items() if k not in ("epoch", "step", "seconds")}
        figures = "  ".join(f"{name} {figure_text(value)}" for name, value in shown.items())
        at, seconds = f"epoch {record['epoch']}, step {record['step']}", record["seconds"]
        self.say(f"{at}: {figures}  ({seconds:.1f} s)")

    def say(self, text):
        """A message that a person should see even without a bar."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        elif not getattr(sys.stderr, "closed", sys.stderr is None):
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def close(self):
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
