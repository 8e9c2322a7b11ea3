"""Ctrl-C: finish the step, then stop."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def waiting_for_ctrl_c():
    """A ``threading.Event`` that the first Ctrl-C sets; a second one is raised at once."""
    interrupt = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    # Other threads than the main one get no signals.  A program that ignores Ctrl-C, or has a
    # handler of its own, keeps it.
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or before is not signal.default_int_handler:
        yield interrupt
        return

    def note(number, frame):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupt.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
