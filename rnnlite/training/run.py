"""Run: a training run while it goes on.

The rest of a run depends on the weights, the optimizer, the random states of layers, the counters
(which batch is next) and the running totals alone.  ``checkpoint.py`` keeps exactly these.
"""

import contextlib
import math
import time
import weakref
from collections import namedtuple

from rnnlite.optim.clipping import clip_gradients, gradient_norm
from rnnlite.optim.optimizer import setting
from rnnlite.training import agreement
from rnnlite.training.chunks import ChunkedGradient
from rnnlite.training.counters import Counters, RunningTotals
from rnnlite.training.divergence import TrainingDiverged, explain
from rnnlite.training.evaluation import evaluate_source
from rnnlite.training.history import History
from rnnlite.training.interrupt import waiting_for_ctrl_c
from rnnlite.training.objective import objective_for, tried
from rnnlite.training.one_process import OneProcess
from rnnlite.training.progress import Progress

# What ``fit`` was told, checked: its arguments of the same names.
Settings = namedtuple(
    "Settings",
    "epochs steps schedule clip_norm average early_stopping callbacks record_every loss "
    "class_weight validation_split chunks",
)


# By model: the steps that runs with an optimizer of their own took.  The next optimizer begins at
# 0, and the next order of rows is to be a new one all the same.
steps_before = weakref.WeakKeyDictionary()


class Run:
    """One training run; what callbacks are given, see ``Callback``."""

    def __init__(
        self, model, optimizer, source, validation, objective, settings, team=None
    ):  # fmt: skip
        self.model, self.optimizer, self.source = model, optimizer, source
        self.validation, self.objective, self.settings = validation, objective, settings
        self.history, self.counters, self.totals = History(), Counters(), RunningTotals()
        self.counters.taken = optimizer.t
        self.loss = math.nan
        self.averaged = None if settings.average is None else model.flat_params.copy()
        # What the last step left, where the model has other weights at the end of a run.
        self.raw_weights = None
        self.reason = None  # why to end, once that is decided
        self.finished = False
        self.team = OneProcess() if team is None else team
        self._chunked = None
        if settings.chunks is not None:
            self._chunked = ChunkedGradient(model, settings.chunks, self.team)
        self.callbacks = [
            callback for callback in settings.callbacks if callback.everywhere or self.is_first
        ]
        if settings.early_stopping is not None:
            settings.early_stopping.reset()

    epoch = property(lambda self: self.counters.epoch)  # epochs finished
    step = property(lambda self: self.counters.step)  # steps taken
    process = property(lambda self: self.team.process)  # 0, 1, ...: which of those that train
    is_first = property(lambda self: self.team.is_first)  # who prints and writes files

    def stop(self, reason):
        """End training after this step; ``history.stopped_by`` will be the reason."""
        self.reason = str(reason)

    def train(self, checkpoint, show_progress):
        """Train to the end, and return the history."""
        with self.model.trained_by_this_thread("fit"):
            self.team.compare("fit", lambda: agreement.facts_of_run(self))
            if checkpoint is not None:
                checkpoint.start(self)
            self.team.compare("fit", lambda: agreement.facts_of_start(self))
            self.history.in_epochs = self.settings.epochs is not None
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
            with (
                contextlib.closing(self._progress(show_progress)) as progress,
                waiting_for_ctrl_c() as ctrl_c,
            ):
                for callback in self.callbacks:
                    callback.begin(self)
                try:
                    self._all_epochs(checkpoint, progress, ctrl_c)
                except TrainingDiverged as error:
                    error.history, error.step = self.history, self.step + 1
                    raise
                self._finish(checkpoint, progress)
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
        show = show if self.is_first else False
        return Progress(show, total, self.counters.sequences, self.settings.epochs, left)

    def _is_over(self):
        if self.settings.steps is None:
            return self.epoch >= self.settings.epochs
        return self.step >= self.settings.steps

    def _all_epochs(self, checkpoint, progress, interrupt):
        while not self._is_over() and self.reason is None:
            empty = True
            at = self.counters
            for batch in self.source.epoch(at.epoch, at.batch, at.taken, self.settings.chunks):
                empty = False
                self._train_on(batch)
                self._after_step(batch.size, checkpoint, progress)
                self._decide(batch, interrupt)
                if self.reason is not None or (self.settings.steps is not None and self._is_over()):
                    return
            if empty and self.counters.batch == 0:
                when = f"in epoch {self.epoch + 1}, after {self.step} steps"
                hint = "x is an iterable that ends too early"
                raise ValueError(f"fit: there is no batch {when}; {hint}")
            if self.source.batches is None:  # only now is it known that the epoch is over
                if self.objective is None:  # it was before the break
                    batch = self.source.passed_over
                    output = self.model(batch.x, lengths=batch.lengths)
                    self.objective = tried("fit", self.settings.loss, output, batch)
                self._end_epoch(checkpoint, progress)

    def _decide(self, batch, interrupt):
        """Whether to end after this step: all processes do, if one wants to."""
        if interrupt.is_set() and self.reason is None:
            self.stop("interrupt")
        if self.team.processes == 1:
            return
        wants = self.reason is not None
        number = 2 * agreement.number_of_step(self, batch) + wants
        numbers = self.team.numbers("the end of a step", number)
        for process, other in enumerate(numbers):
            if other // 2 != numbers[0] // 2:
                differ = f"process {process} and process 0 took different steps {self.step}"
                hint = "x, schedule and callbacks must give the same in every process"
                raise ValueError(f"fit: {differ} (rows, loss or step size); {hint}")
        if any(number % 2 for number in numbers):
            reasons = self.team.share("why to end", self.reason)
            self.reason = next(reason for reason in reasons if reason is not None)

    def _train_on(self, batch):
        """One training step."""
        model, optimizer, totals = self.model, self.optimizer, self.totals
        if self.settings.schedule is not None:
            step = self.counters.step
            optimizer.lr = setting(f"fit: schedule({step})", "lr", self.settings.schedule(step))
        gradient = self._gradient if self._chunked is None else self._gradient_in_chunks
        outcome = gradient(batch)
        with self._compiling():
            norm = self._step(math.isfinite(outcome.loss))
        if norm is None:
            batches = batch.parts if self._chunked else lambda: [batch]
            at = self.step + 1, self.epoch + 1
            raise explain(model, batches, *at, outcome.loss, optimizer.lr)
        self.loss = outcome.loss
        if self.averaged is not None:
            n = self.counters.step + 1
            memory = min(self.settings.average, n / (n + 9))
            self.averaged += (1.0 - memory) * (model.flat_params - self.averaged)
        totals.steps += 1
        totals.add(outcome)
        totals.norm += norm

    def _compiling(self):
        """A block of the first step, which finds kernels that are not there yet."""
        return self.team.compiling() if math.isnan(self.loss) else contextlib.nullcontext()

    def _gradient(self, batch):
        """Forward, loss and backward of a batch; its ``Outcome``."""
        output = self.model.forward(batch.x, lengths=batch.lengths, training=True)
        if self.objective is None:
            self.objective = tried("fit", self.settings.loss, output, batch)
        outcome = self.objective(output, batch.y, batch.lengths, batch.weights)
        if math.isfinite(outcome.loss):
            self.model.backward(outcome.doutput, need_dx=False)
        return outcome

    def _gradient_in_chunks(self, cut):
        """The same of a batch in chunks, each process computing its own."""
        with self._compiling():
            if self.objective is None:
                few, lengths = cut.whole.x[:1], cut.whole.lengths
                output = self.model(few, lengths=None if lengths is None else lengths[:1])
                self.objective = objective_for("fit", self.settings.loss, output, cut.whole)
            step = self.counters.taken + self.counters.batch
            self._chunked.own_part(cut, self.objective, step)
        return self._chunked.together(self.objective)

    def _step(self, finite):
        """The step of the optimizer; the gradients' norm, or None where a number is not finite."""
        limit = self.settings.clip_norm
        if not finite:
            return None
        norm = gradient_norm(self.model) if limit is None else clip_gradients(self.model, limit)
        if not math.isfinite(norm):
            return None
        self.optimizer.step()
        return norm

    def _after_step(self, sequences, checkpoint, progress):
        """Count the step, and do what is due after it."""
        at, totals = self.counters, self.totals
        at.step += 1
        at.batch += 1
        at.sequences += sequences
        at.seconds = time.perf_counter() - self._began
        accuracy = totals.accuracy() if self.objective.counts_right_answers else None
        progress.step(sequences, at.epoch + 1, totals.mean_loss(), accuracy)
        for callback in self.callbacks:
            callback.step(self)
        if at.batch == self.source.batches:
            self._end_epoch(checkpoint, progress)
        elif self._is_time_for_a_record(otherwise=False):
            self._record(checkpoint, progress)
        elif checkpoint is not None and checkpoint.is_due(self):
            checkpoint.save(self)

    def _end_epoch(self, checkpoint, progress):
        at = self.counters
        at.taken, at.epoch, at.batch = at.taken + at.batch, at.epoch + 1, 0
        # Of batches that someone else makes, the last is not known to be it when it is recorded.
        if self.totals.steps and self._is_time_for_a_record(otherwise=True):
            self._record(checkpoint, progress)

    def _is_time_for_a_record(self, otherwise):
        every = self.settings.record_every
        return otherwise if every is None else self.step % every == 0

    def _record(self, checkpoint, progress):
        """Add to the history what was measured since the last record, and validate."""
        totals, epoch = self.totals, self.epoch + (self.counters.batch > 0)
        record = {"epoch": epoch, "step": self.step, "loss": totals.mean_loss()}
        accuracy = totals.accuracy() if self.objective.counts_right_answers else None
        record |= self._accuracy("accuracy", accuracy)
        record |= {"grad_norm": totals.norm / totals.steps, "lr": self.optimizer.lr}
        raw = None
        if self.averaged is not None:
            raw = self.model.flat_params.copy()
            self.model.flat_params[...] = self.averaged
        if self.validation is not None:
            where, function = "fit: validation", self.objective.function
            validation = self.model, self.validation, function, self.team
            loss, accuracy = evaluate_source(where, *validation)
            record |= {"val_loss": loss, **self._accuracy("val_accuracy", accuracy)}
        seconds = time.perf_counter() - self._began
        if self.team.processes > 1:
            seconds = self._agreed(seconds)
        self.counters.seconds = seconds
        self.history.add(**record, seconds=seconds)
        self.totals = RunningTotals()
        progress.record(self.history.last())
        stopping = self.settings.early_stopping
        if stopping is not None and stopping.seen(self.history.last(), self.model.flat_params):
            self.stop("early stopping")
        for callback in self.callbacks:
            callback.record(self)
        if raw is not None:
            self.model.flat_params[...] = raw
        if checkpoint is not None:
            checkpoint.save(self)

    def _agreed(self, seconds):
        """The first process's clock; and that all have the same weights."""
        weights = agreement.facts_of_model(self.model)
        told = self.team.share("a record", (seconds, weights))
        for process, (_, others) in enumerate(told):
            if others != told[0][1]:
                problem = f"process {process} has other weights than process 0"
                hint = "what callbacks change must be the same in every process"
                raise ValueError(f"fit: after step {self.step} {problem}; {hint}")
        return told[0][0]

    def _accuracy(self, name, value):
        """A column of the history if the first record had it; NaN where it is not known."""
        if name not in self.history if self.history else value is None:
            return {}
        return {name: math.nan if value is None else value}

    def _finish(self, checkpoint, progress):
        """The last record, the weights to keep, the last checkpoint."""
        reason = self.reason
        if reason == "interrupt" and checkpoint is not None:
            checkpoint.save(self)  # as if it went on
        if self.totals.steps:
            self._record(None, progress)
        self.history.stopped_by = reason or self.reason or "end"
        if reason == "interrupt" and self.is_first:
            hint = f"; {checkpoint.path} is saved, resume=True goes on" if checkpoint else ""
            progress.say(f"training stopped by Ctrl-C after step {self.counters.step}{hint}")
        best, stopping = self.averaged, self.settings.early_stopping
        if stopping is not None and stopping.best_params is not None:
            best = stopping.best_params
        if best is not None:
            self.raw_weights = self.model.flat_params.copy()
            self.model.flat_params[...] = best
        for callback in self.callbacks:
            callback.end(self)
        self.finished = True
        if checkpoint is not None and reason != "interrupt":
            checkpoint.save(self)
