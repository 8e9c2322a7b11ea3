"""Ctrl-C: finish the step, then stop."""

import contextlib
import signal
import threading


class Interrupt:
    """Whether Ctrl-C was pressed.

    Attributes
    ----------
    pressed : bool
    """

    pressed = False


@contextlib.contextmanager
def waiting_for_ctrl_c():
    """Note the first Ctrl-C instead of raising it; a second one is raised at once.

    In other threads than the main one, which alone gets signals, this does nothing.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.getsignal(signal.SIGINT)

    def note(number, frame):
        interrupt.pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    # A program that ignores Ctrl-C, or has a handler of its own, keeps it.
    ours = before is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)
