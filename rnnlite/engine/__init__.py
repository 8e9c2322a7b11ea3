"""The engine: runs any cell through time, on as many threads as there are.

run.py                forward and backward, as ``functional`` and the layers call them
compiled.py           the engine itself: deals a cell's kernels to the threads
plain.py              the same in plain NumPy, for cells that are still being written
workspace.py          the buffers of one run, which the kernels read and write
threads.py            ``parallel_for``: a few threads share the rows of a batch
equation_results.py   what a cell's equations return, checked
memory.py             arrays that begin where a cache line begins
"""

from rnnlite.engine.run import backward, forward

__all__ = ["backward", "forward"]
