"""When two threads share the units of a single row; ``kernels/one_row.py`` is how they do it."""

from rnnlite.engine import threads
from rnnlite.kernels import meeting, one_row
from rnnlite.kernels.jit import JIT_DISABLED
from rnnlite.kernels.product import panel_width

# A multiplication of a single row takes as long as so many of a batch: W is read for it alone.
OF_ONE_ROW = 4

# For how many runs nobody shares after one in which a thread waited long.
SHORTEST_REST, LONGEST_REST = 64, 4096


class Rest:
    """For how long not to share.

    Two that keep step lose milliseconds where another program takes the processor of one of them,
    and win a tenth of one where none does.  So after each long wait the caller computes alone, for
    twice as many runs as the last time; each run without one makes the next rest shorter by one.
    """

    def __init__(self):
        self.runs, self.next_rest = 0, SHORTEST_REST

    def is_over(self):
        """Whether to share; each time it is asked there is one run less to rest."""
        self.runs = max(self.runs - 1, -1)
        return self.runs < 0

    def learn(self, waited_long):
        """Take note of how a run that was shared went."""
        if waited_long:
            self.runs, self.next_rest = self.next_rest, min(2 * self.next_rest, LONGEST_REST)
        else:
            self.next_rest = max(self.next_rest - 1, SHORTEST_REST)


_rest = Rest()


def is_shared(workspace, work):
    """Whether two threads are to share this run, of so many multiplications."""
    B, _, I, H = workspace.shape
    return (
        B == 1 and OF_ONE_ROW * work > threads.WORTH_A_THREAD and threads.get_num_threads() > 1
        and not (JIT_DISABLED or workspace.for_backward) and workspace.all_valid
        and one_row.can_share(workspace.cell, I, H, panel_width(workspace.dtype))
        and _rest.is_over()
    )  # fmt: skip


def run(parallel_for, kernel, work, *arguments):
    """Run the kernel by two threads, or by the caller alone if the other one does not come."""
    met = meeting.new()
    parallel_for(kernel, 2, OF_ONE_ROW * work, *arguments, met)
    _rest.learn(meeting.parted(met))
