"""Where a training run is, and what it has seen since the last record."""

from dataclasses import dataclass


@dataclass
class Counters:
    """Where a run is: which batch is next, and how much there was."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches trained on in this one
    step: int = 0  # steps taken in all
    sequences: int = 0  # seen in all
    seconds: float = 0.0  # spent until the last time it was looked at


@dataclass
class RunningTotals:
    """Sums over the steps since the last record."""

    steps: int = 0
    loss: float = 0.0  # of each step's mean loss times its answers
    right: float = 0.0  # answers
    counted: float = 0.0  # answers that count
    norm: float = 0.0  # of the gradients' norms
