"""Where a training run is, and what it has seen since the last record."""

from dataclasses import dataclass


@dataclass
class Counters:
    """Where a run is: which batch is next, and how much there was.

    Attributes
    ----------
    epoch, batch : int
        Of the next batch: epochs finished, and batches trained on in this one.
    step, sequences : int
        Steps taken and sequences seen in all.
    seconds : float
        Spent in training until the last time it was looked at.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    sequences: int = 0
    seconds: float = 0.0


@dataclass
class RunningTotals:
    """Sums over the steps since the last record.

    Attributes
    ----------
    steps : int
    loss : float
        Of each step's mean loss times its answers.
    right, counted : float
        Right answers, and answers that count.
    norm : float
        Of the gradients' norms.
    """

    steps: int = 0
    loss: float = 0.0
    right: float = 0.0
    counted: float = 0.0
    norm: float = 0.0
