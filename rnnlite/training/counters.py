"""Where a training run is, and what it has seen since the last record."""

import math
from dataclasses import dataclass


@dataclass
class Counters:
    """Where a run is: which batch is next, and how much there was."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches trained on in this one
    step: int = 0  # steps taken in all
    sequences: int = 0  # seen in all
    seconds: float = 0.0  # spent until the last time it was looked at
    taken: int = 0  # steps of the optimizer before this epoch: its order is drawn from them


@dataclass
class RunningTotals:
    """Sums over the steps since the last record."""

    steps: int = 0
    loss: float = 0.0  # of each step's mean loss times its weight
    right: float = 0.0  # answers
    answers: float = 0.0  # that are right or wrong
    counted: float = 0.0  # of the weights
    norm: float = 0.0  # of the gradients' norms

    def add(self, outcome):
        """Add what came of a batch."""
        self.loss += outcome.loss * outcome.weight
        self.counted += outcome.weight
        self.right += outcome.right
        self.answers += outcome.answers

    def mean_loss(self):
        """Over all that counted; 0 if nothing did."""
        return self.loss / self.counted if self.counted else 0.0

    def accuracy(self):
        """Share of right answers; NaN without answers."""
        return self.right / self.answers if self.answers else math.nan
