"""One thread at a time trains a model; any number may use it for inference meanwhile."""

import contextlib
import threading

ADVICE = "one thread at a time trains a model; give each its own: model.copy()"


class Turns:
    """Threads take turns: ``with turns:`` waits for another's call, and pairs are not mixed up."""

    def __init__(self):
        self._lock, self._owner = threading.RLock(), None
        self._passes = {}  # thread that ran the last "forward", and the last "backward"
        self.forget_forward()

    def __enter__(self):
        self._lock.acquire()
        if self._owner not in (None, threading.get_ident()):
            self._lock.release()
            raise RuntimeError(f"another thread's fit is training this model; {ADVICE}")

    def __exit__(self, *_):
        self._lock.release()

    def forget_forward(self):
        """No backward may follow, until a forward has ended."""
        self.may_go_back, self.result = False, None  # result: a weak reference to what it returned

    def note(self, which):
        """This thread ran the last pass of this kind."""
        self._passes[which] = threading.get_ident()

    def check(self, where, which):
        """Refuse to go on from a pass that another thread ran."""
        if self._passes.get(which, threading.get_ident()) != threading.get_ident():
            raise RuntimeError(f"{where}: the last {which} was another thread's; {ADVICE}")

    @contextlib.contextmanager
    def owned(self, where):
        """All turns are this thread's until the end of the block."""
        with self._lock:
            before, me = self._owner, threading.get_ident()
            if before not in (None, me):
                raise RuntimeError(f"{where}: another thread is training this model; {ADVICE}")
            self._owner = me
        try:
            yield
        finally:
            self._owner = before
