"""Run: a training run while it goes on.

What the rest of a run depends on is in few places: the weights, the
optimizer, the random states of layers, the counters (which batch is next) and
the running totals since the last record.  ``checkpoint.py`` keeps exactly these.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rnnlite.optim.clipping import clip_gradients, gradient_norm
from rnnlite.training.callbacks import EarlyStopping
from rnnlite.training.counters import Counters, RunningTotals
from rnnlite.training.divergence import TrainingDiverged, explain
from rnnlite.training.evaluation import evaluate_source
from rnnlite.training.history import History
from rnnlite.training.interrupt import waiting_for_ctrl_c
from rnnlite.training.objective import tried
from rnnlite.training.progress import Progress


@dataclass(frozen=True)
class Settings:
    """What ``fit`` was told, checked: its arguments of the same names."""

    epochs: int | None
    steps: int | None
    schedule: Callable | None
    clip_norm: float | None
    average: float | None
    early_stopping: EarlyStopping | None
    callbacks: Sequence
    record_every: int | None
    loss: str | Callable | None


class Run:
    """One training run; what callbacks are given.

    Attributes
    ----------
    model : Layer
    optimizer : Optimizer
    history : History
        So far.
    epoch, step : int
        Epochs finished, steps taken.
    loss : float
        Of the last step.
    settings : Settings
    source, validation : Arrays, Stream or None
        Where batches come from; data to evaluate at each record.
    objective : Objective
    """

    def __init__(self, model, optimizer, source, validation, objective, settings):
        self.model, self.optimizer, self.source = model, optimizer, source
        self.validation, self.objective, self.settings = validation, objective, settings
        self.history, self.counters, self.totals = History(), Counters(), RunningTotals()
        self.loss = math.nan
        self.averaged = None if settings.average is None else model.flat_params.copy()
        # What the last step left, where the model has other weights at the end of a run.
        self.raw_weights = None
        self.reason = None  # why to end, once that is decided
        self.finished = False
        if settings.early_stopping is not None:
            settings.early_stopping.reset()

    @property
    def epoch(self):
        """Epochs finished."""
        return self.counters.epoch

    @property
    def step(self):
        """Steps taken."""
        return self.counters.step

    def stop(self, reason):
        """End training after this step; ``history.stopped_by`` will be the reason."""
        self.reason = str(reason)

    def train(self, checkpoint, show_progress):
        """Train to the end, and return the history."""
        with self.model.trained_by_this_thread("fit"):
            return self._train(checkpoint, show_progress)

    def _train(self, checkpoint, show_progress):
        if checkpoint is not None:
            checkpoint.start(self)
        if self.finished:
            if self._is_over() or self.history.stopped_by == "early stopping":
                return self.history
            self.finished = False  # it goes on for longer
        if self.raw_weights is not None:
            self.model.flat_params[...] = self.raw_weights
            self.raw_weights = None
        if checkpoint is not None:
            checkpoint.save(self)  # a folder that cannot be written is found now
        self._began = time.perf_counter() - self.counters.seconds
        progress = self._progress(show_progress)
        try:
            with waiting_for_ctrl_c() as interrupt:
                for callback in self.settings.callbacks:
                    callback.begin(self)
                try:
                    self._all_epochs(checkpoint, progress, interrupt)
                except TrainingDiverged as error:
                    error.history, error.step = self.history, self.step + 1
                    raise
                self._finish(checkpoint, progress)
        finally:
            progress.close()
        return self.history

    def _progress(self, show):
        source, total, left = self.source, None, None
        if source.rows is not None:
            full, rest = self.settings.epochs, 0
            if self.settings.steps is not None:
                full, rest = divmod(self.settings.steps, source.batches)
            total = full * source.rows + rest * source.batch_size
        elif self.settings.steps is not None:
            left = self.settings.steps - self.counters.step
        return Progress(show, total, self.counters.sequences, self.settings.epochs, left)

    def _is_over(self):
        at = self.counters
        if self.settings.steps is None:
            return at.epoch >= self.settings.epochs
        return at.step >= self.settings.steps

    def _all_epochs(self, checkpoint, progress, interrupt):
        while not self._is_over() and self.reason is None:
            empty = True
            for batch in self.source.epoch(self.counters.epoch, self.counters.batch):
                empty = False
                self._train_on(batch)
                self._after_step(len(batch.x), checkpoint, progress)
                if interrupt.pressed and self.reason is None:
                    self.stop("interrupt")
                by_steps = self.settings.steps is not None
                if self.reason is not None or (by_steps and self._is_over()):
                    return
            if empty and self.counters.batch == 0:
                raise ValueError(
                    f"fit: there is no batch in epoch {self.counters.epoch + 1}, after "
                    f"{self.counters.step} steps; x is an iterable that ends too early"
                )
            if self.source.batches is None:  # only now is it known that the epoch is over
                self._end_epoch(checkpoint, progress)

    def _train_on(self, batch):
        """One training step."""
        model, optimizer, totals = self.model, self.optimizer, self.totals
        if self.settings.schedule is not None:
            optimizer.lr = self.settings.schedule(self.counters.step)
        output = model.forward(batch.x, lengths=batch.lengths, training=True)
        if self.objective is None:
            self.objective = tried("fit", self.settings.loss, output, batch)
        loss, doutput = self.objective(output, batch.y, batch.lengths)
        right, counted = self.objective.count(output, batch.y, batch.lengths)
        finite = math.isfinite(loss)
        if finite:
            model.backward(doutput, need_dx=False)
            if self.settings.clip_norm is None:
                norm = gradient_norm(model)
            else:
                norm = clip_gradients(model, self.settings.clip_norm)
            finite = math.isfinite(norm)
        if not finite:
            at = self.counters
            raise explain(model, batch, at.step + 1, at.epoch + 1, loss, optimizer.lr)
        optimizer.step()
        if self.averaged is not None:
            n = self.counters.step + 1
            memory = min(self.settings.average, n / (n + 9))
            self.averaged += (1.0 - memory) * (model.flat_params - self.averaged)
        self.loss = loss
        totals.steps += 1
        totals.loss += loss * counted
        totals.right += right
        totals.counted += counted
        totals.norm += norm

    def _after_step(self, sequences, checkpoint, progress):
        """Count the step, and do what is due after it."""
        at, totals = self.counters, self.totals
        at.step += 1
        at.batch += 1
        at.sequences += sequences
        at.seconds = time.perf_counter() - self._began
        accuracy = totals.right / totals.counted if self.objective.counts_right_answers else None
        progress.step(sequences, at.epoch + 1, totals.loss / totals.counted, accuracy)
        for callback in self.settings.callbacks:
            callback.step(self)
        if at.batch == self.source.batches:
            self._end_epoch(checkpoint, progress)
        elif self._is_time_for_a_record(otherwise=False):
            self._record(checkpoint, progress)
        elif checkpoint is not None and checkpoint.is_due(self):
            checkpoint.save(self)

    def _end_epoch(self, checkpoint, progress):
        at = self.counters
        at.epoch, at.batch = at.epoch + 1, 0
        if self._is_time_for_a_record(otherwise=True):
            self._record(checkpoint, progress)

    def _is_time_for_a_record(self, otherwise):
        every = self.settings.record_every
        return otherwise if every is None else self.step % every == 0

    def _record(self, checkpoint, progress):
        """Add to the history what was measured since the last record, and validate."""
        record = self._measured()
        raw = None
        if self.averaged is not None:
            raw = self.model.flat_params.copy()
            self.model.flat_params[...] = self.averaged
        if self.validation is not None:
            validation = evaluate_source(
                "fit: validation", self.model, self.validation, self.objective.function
            )
            record["val_loss"] = validation.loss
            if validation.accuracy is not None:
                record["val_accuracy"] = validation.accuracy
        self.counters.seconds = time.perf_counter() - self._began
        self.history.add(**record, seconds=self.counters.seconds)
        self.totals = RunningTotals()
        progress.record(self.history.last())
        stopping = self.settings.early_stopping
        if stopping is not None and stopping.seen(self.history.last(), self.model.flat_params):
            self.stop("early stopping")
        for callback in self.settings.callbacks:
            callback.record(self)
        if raw is not None:
            self.model.flat_params[...] = raw
        if checkpoint is not None:
            checkpoint.save(self)

    def _measured(self):
        totals, at = self.totals, self.counters
        record = {
            "epoch": at.epoch + (at.batch > 0),
            "step": at.step,
            "loss": totals.loss / totals.counted,
        }
        if self.objective.counts_right_answers:
            record["accuracy"] = totals.right / totals.counted
        record["grad_norm"] = totals.norm / totals.steps
        record["lr"] = self.optimizer.lr
        return record

    def _finish(self, checkpoint, progress):
        """The last record, the weights to keep, the last checkpoint."""
        reason = self.reason
        if reason == "interrupt" and checkpoint is not None:
            checkpoint.save(self)  # as if it went on
        if self.totals.steps:
            self._record(None, progress)
        self.history.stopped_by = reason or self.reason or "end"
        if reason == "interrupt":
            hint = f"; {checkpoint.path} is saved, resume=True goes on" if checkpoint else ""
            progress.say(f"training stopped by Ctrl-C after step {self.counters.step}{hint}")
        self._take_best_weights()
        for callback in self.settings.callbacks:
            callback.end(self)
        self.finished = True
        if checkpoint is not None and reason != "interrupt":
            checkpoint.save(self)

    def _take_best_weights(self):
        best, stopping = self.averaged, self.settings.early_stopping
        if stopping is not None and stopping.best_params is not None:
            best = stopping.best_params
        if best is not None:
            self.raw_weights = self.model.flat_params.copy()
            self.model.flat_params[...] = best
