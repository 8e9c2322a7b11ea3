"""The engine: runs any cell through time, on as many threads as there are.

run.py, workspace.py    forward and backward, as others call them, and the buffers of one run
compiled.py, plain.py   what runs: the cell's kernels, or plain NumPy for cells being written
threads.py, memory.py   who computes which rows; arrays that begin where a cache line begins
equation_results.py     what a cell's equations return, checked
"""

from rnnlite.engine.run import backward, forward

__all__ = ["backward", "forward"]
