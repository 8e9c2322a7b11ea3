"""What a person sees while training: a live bar, and a line for each record."""

import sys
import time

from rnnlite.training.history import figure_text

REFRESH = 0.1  # seconds


class Progress:
    """A live bar on the standard error stream; silent when not asked for."""

    def __init__(self, show, total, done, epochs, steps_left=None):
        self._bar, self._shown_at, self._steps_left = None, 0.0, steps_left
        self._epochs = epochs
        if sys.stderr is None:  # a program without a window
            show = False
        self.on = sys.stderr.isatty() if show is None else show
        if not self.on:
            return
        try:
            from tqdm import tqdm
        except ImportError:
            self.say("(pip install tqdm for a live bar with speed and time left)")
        else:
            self._bar = tqdm(
                total=total, initial=done, unit=" seq", unit_scale=True, dynamic_ncols=True,
                leave=False, mininterval=REFRESH,
            )  # fmt: skip

    def step(self, sequences, epoch, loss, accuracy):
        """After a training step: what it saw, and means since the last record."""
        if self._bar is None:
            return
        if self._bar.total is None and self._steps_left is not None:
            self._bar.total = self._bar.n + self._steps_left * sequences
        now = time.monotonic()
        if now - self._shown_at > REFRESH:
            self._shown_at = now
            text = f"epoch {epoch}" + (f"/{self._epochs}" if self._epochs else "")
            text += f", loss {loss:.4f}"
            text += "" if accuracy is None else f", accuracy {accuracy:.4f}"
            self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(sequences)

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
        elif sys.stderr is not None:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def close(self):
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
