"""How many threads an estimator computes with: one in a worker of joblib, unless told otherwise.

joblib runs as many workers as there are processors, so a second thread in each would only be in
the others' way.  ``n_threads`` and RNNLITE_NUM_THREADS say otherwise; elsewhere the numbers of
``engine/processors.py`` hold.
"""

import os

from joblib.parallel import get_active_backend

from rnnlite import checking
from rnnlite.engine.processors import VARIABLES
from rnnlite.engine.threads import threads_here


def threads(where, n_threads):
    """A block that computes with ``n_threads``, or with as many as suit the place."""
    if n_threads is not None:
        return threads_here(checking.whole_number(where, "n_threads", n_threads))
    return threads_here(1 if in_worker() and not os.environ.get(VARIABLES[0]) else None)


def in_worker():
    """Whether this runs in a worker of ``joblib.Parallel``, a process or a thread."""
    backend, _ = get_active_backend()
    return bool(backend.nesting_level)
