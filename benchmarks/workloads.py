"""The workloads that all benchmarks share, and the arithmetic in them."""

from typing import NamedTuple

CLASSES = 10


class Workload(NamedTuple):
    """One recurrent layer and a dense layer of ten outputs, on random input."""

    cell: str
    batch: int
    steps: int
    inputs: int
    hidden: int

    def __str__(self):
        return f"{self.cell} B{self.batch} T{self.steps} I{self.inputs} H{self.hidden}"

    @property
    def gates(self):
        """Column blocks of the weights."""
        return {"lstm": 4, "gru": 3, "rnn": 1}[self.cell]

    def flops(self, training):
        """Multiplications and additions in the matrix products of one step.

        Forward [x h] W; backward dW = [x h]^T dz and dh = dz Wh^T.  The
        gradient of x is not counted: nobody computes it for a first layer.
        """
        rows, columns = self.batch * self.steps, self.gates * self.hidden
        forward = 2 * rows * (self.inputs + self.hidden) * columns
        return 2 * forward + 2 * rows * self.hidden * columns if training else forward


WORKLOADS = [
    Workload("lstm", 128, 28, 28, 128),
    Workload("rnn", 150, 28, 28, 150),
    Workload("lstm", 32, 28, 28, 32),
    Workload("lstm", 64, 100, 64, 256),
    Workload("lstm", 32, 200, 512, 512),
    Workload("lstm", 1, 28, 28, 128),
    Workload("lstm", 128, 784, 1, 128),
    Workload("gru", 128, 28, 28, 128),
]

# Sizes that fit no tile, each beside its next neighbour that does.
ODD = [
    Workload("lstm", 128, 28, 28, 128),
    Workload("lstm", 127, 28, 28, 128),
    Workload("lstm", 128, 28, 28, 131),
    Workload("lstm", 128, 28, 28, 144),
    Workload("lstm", 128, 28, 28, 150),
    Workload("lstm", 128, 28, 28, 160),
    Workload("lstm", 3, 28, 28, 128),
    Workload("lstm", 4, 28, 28, 128),
    Workload("lstm", 128, 28, 28, 7),
    Workload("lstm", 128, 28, 28, 16),
    Workload("lstm", 128, 28, 28, 1),
]
