"""Step size schedules: from the number of the step to the step size.

A schedule is a small value without memory: call it with the step, counted from 0, as often and
in any order you like.

    optimizer.lr = schedule(optimizer.t)
    optimizer.step()

It can be printed, compared and pickled, so a training run can say and keep which one it used.
"""

import dataclasses
import math
from dataclasses import dataclass

from rnnlite import checking

HIGHEST = 1e6  # as for an optimizer's lr
PARTS = ("factor", "warmup", "start_factor", "end_factor")  # numbers in [0, 1]


@dataclass(frozen=True)
class Schedule:
    """What all schedules share: called with a step, they return its step size."""

    def __call__(self, step):
        """Step size of a step, counted from 0."""
        return self._lr(checking.whole_number(type(self).__name__, "step", step, 0))

    def __post_init__(self):
        where = type(self).__name__
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is int:
                value = checking.whole_number(where, field.name, value)
            elif field.type is float:
                highest = 1.0 if field.name in PARTS else HIGHEST
                value = checking.real_number(where, field.name, value, 0.0, highest)
            object.__setattr__(self, field.name, value)  # past "frozen", before anyone has seen it


@dataclass(frozen=True)
class constant(Schedule):
    """The same step size ``lr`` at every step.

    Examples
    --------
    >>> constant(0.1)(1000)
    0.1
    """

    lr: float

    def _lr(self, step):
        return self.lr


@dataclass(frozen=True)
class step_decay(Schedule):
    """lr factor^floor(step / every): multiplied by ``factor`` after every ``every`` steps.

    Parameters
    ----------
    lr : float
        The first step size.
    every : int
        Steps between two changes.
    factor : float
        In [0, 1].

    Examples
    --------
    >>> schedule = step_decay(0.8, every=10, factor=0.5)
    >>> [schedule(step) for step in (0, 9, 10, 20)]
    [0.8, 0.8, 0.4, 0.2]
    """

    lr: float
    every: int
    factor: float

    def _lr(self, step):
        return self.lr * self.factor ** (step // self.every)


@dataclass(frozen=True)
class cosine(Schedule):
    """Half a cosine wave from ``lr`` down to ``end`` (Loshchilov & Hutter 2017, equation 5).

        end + (lr - end) (1 + cos(π step / steps)) / 2,  and ``end`` from ``steps`` on

    Parameters
    ----------
    lr, end : float, the first and the last step size
    steps : int
        How many steps the way down takes.

    Examples
    --------
    >>> schedule = cosine(1.0, steps=100)
    >>> [round(schedule(step), 3) for step in (0, 25, 50, 100, 1000)]
    [1.0, 0.854, 0.5, 0.0, 0.0]
    """

    lr: float
    steps: int
    end: float = 0.0

    def _lr(self, step):
        return _half_wave(self.lr, self.end, min(step / self.steps, 1.0))


@dataclass(frozen=True)
class one_cycle(Schedule):
    """Up and down once (Smith & Topin 2018), each way half a cosine wave, as in PyTorch.

        lr start_factor  ->  lr  ->  lr start_factor end_factor

    The top is reached at step ``warmup * steps - 1``, the end at step ``steps - 1``.

    Parameters
    ----------
    lr : float
        The largest step size.
    steps : int
        Steps of the whole cycle; from then on the last step size stays.
    warmup : float
        Part of the steps that go up, in [0, 1].
    start_factor : float
        The first step size, as a part of ``lr``, in [0, 1].
    end_factor : float
        The last step size, as a part of the first, in [0, 1].

    Examples
    --------
    >>> schedule = one_cycle(0.1, steps=100)
    >>> [round(schedule(step), 7) for step in (0, 29, 99)]
    [0.004, 0.1, 4e-07]
    """

    lr: float
    steps: int
    warmup: float = 0.3
    start_factor: float = 1 / 25
    end_factor: float = 1 / 1e4

    def _lr(self, step):
        top, last = self.warmup * self.steps - 1, self.steps - 1
        start = self.lr * self.start_factor
        if step < top:
            return _half_wave(start, self.lr, step / top)
        if top >= last:
            return self.lr
        part = (min(step, last) - top) / (last - top)
        return _half_wave(self.lr, start * self.end_factor, part)


@dataclass(frozen=True)
class warm_up(Schedule):
    """From 0 in a straight line to where another schedule begins, then that schedule.

        schedule(0) step / steps  while step < steps,  then schedule(step - steps)

    Parameters
    ----------
    schedule : callable
        From a step, counted from 0, to a step size.
    steps : int
        Steps before it begins.

    Examples
    --------
    >>> schedule = warm_up(cosine(0.1, steps=100), steps=10)
    >>> [round(schedule(step), 3) for step in (0, 5, 10, 60, 110)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """

    schedule: object
    steps: int

    def __post_init__(self):
        if not callable(self.schedule):
            raise TypeError(f"warm_up: schedule is {self.schedule!r}; wanted a callable of a step")
        super().__post_init__()

    def _lr(self, step):
        if step < self.steps:
            return self.schedule(0) * step / self.steps
        return self.schedule(step - self.steps)


def _half_wave(start, end, part):
    """From ``start`` (part = 0) to ``end`` (part = 1)."""
    height = (1.0 + math.cos(math.pi * part)) / 2
    return start * height + end * (1.0 - height)  # exact at both ends
