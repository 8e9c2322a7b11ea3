"""A batch in chunks: what each of them holds, and the tree along which their gradients are added.

The sum of numbers that are rounded depends on its order.  So the order is fixed by the number of
chunks alone: the sum of chunks [first, last) is that of its first half plus that of its second,

    0   1   2   3   4   5   6   7
     \\ /     \\ /     \\ /     \\ /
      +       +       +       +
        \\   /           \\   /
          +               +
             \\         /
                  +

whoever adds which part of it.
"""


class Cut:
    """A batch of ``size`` rows in chunks, each of which is made when it is asked for.

    ``make(first, last)`` gives rows ``first`` to ``last`` of the batch.  The first chunks have a
    row more than the last ones, where the rows do not divide evenly; some may be empty.  ``whole``
    is the batch, if it is at hand.
    """

    def __init__(self, size, chunks, make, whole=None):
        self.size, self.whole, self._chunks, self._make = size, whole, chunks, make

    def first(self, chunk):
        """The first row of a chunk in the batch."""
        rows, more = divmod(self.size, self._chunks)
        return chunk * rows + min(chunk, more)

    def part(self, chunk):
        """A chunk, or None if it has no rows."""
        first, last = self.first(chunk), self.first(chunk + 1)
        return self._make(first, last) if first < last else None

    def parts(self):
        """All its rows, in batches one after the other: the next may take the memory of one."""
        parts = map(self.part, range(self._chunks)) if self.whole is None else [self.whole]
        return (part for part in parts if part is not None)


def own_chunks(process, processes, chunks):
    """First and last chunk, the last excluded, that a process computes."""
    return chunks * process // processes, chunks * (process + 1) // processes


def subtrees(first, last, of):
    """The largest parts (first, last) of the tree ``of`` that lie within a run of chunks."""
    low, high = of
    if first <= low and high <= last:
        return [of]
    if high <= first or last <= low:
        return []
    middle = (low + high) // 2
    return subtrees(first, last, (low, middle)) + subtrees(first, last, (middle, high))
