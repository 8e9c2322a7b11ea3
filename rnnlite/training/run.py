"""Run: a training run while it goes on.

What the rest of a run depends on is in few places: the weights, the
optimizer, the random states of layers, ``position`` (which batch is next) and
the sums since the last record.  ``checkpoint.py`` keeps exactly these.
"""

import math
import time

from rnnlite.optim.clipping import clip_gradients, gradient_norm
from rnnlite.training.counters import Position, Sums
from rnnlite.training.divergence import TrainingDiverged, explain
from rnnlite.training.evaluation import evaluate_source
from rnnlite.training.history import History
from rnnlite.training.interrupt import waiting_for_ctrl_c
from rnnlite.training.objective import check_labels
from rnnlite.training.progress import Progress


class Run:
    """One training run; what callbacks are given.

    Parameters
    ----------
    model : Layer
    optimizer : Optimizer
    source : Arrays or Stream
    objective : Objective or None
        None: ``choose_objective(output_shape, y)`` finds one in the first step.
    choose_objective : callable
    loss_name : str
        By which two runs are compared.
    epochs, steps, schedule, clip_norm, average, early_stopping, callbacks, record_every
        As for ``fit``, checked.
    validation : Arrays, Stream or None
        Data to evaluate at each record.

    Attributes
    ----------
    model, optimizer, history, epoch, step
        History so far, epochs finished, steps taken.
    loss : float
        Of the last step.
    """

    def __init__(
        self, model, optimizer, source, *, objective, choose_objective, loss_name, epochs, steps,
        schedule, clip_norm, average, early_stopping, callbacks, record_every, validation,
    ):  # fmt: skip
        self.model, self.optimizer, self.source = model, optimizer, source
        self.objective, self._choose_objective = objective, choose_objective
        self.loss_name = loss_name
        self.epochs, self.steps, self.schedule = epochs, steps, schedule
        self.clip_norm, self.average = clip_norm, average
        self.early_stopping, self.callbacks = early_stopping, callbacks
        self.record_every, self.validation = record_every, validation
        self.history, self.position, self.sums = History(), Position(), Sums()
        self.loss = math.nan
        self.averaged = None if average is None else model.flat_params.copy()
        # At the end of a run the model may have other weights than the last step left.
        self.live = None
        self.reason = None  # why to end, once that is decided
        self.finished = False
        if early_stopping is not None:
            early_stopping.reset()

    @property
    def epoch(self):
        """Epochs finished."""
        return self.position.epoch

    @property
    def step(self):
        """Steps taken."""
        return self.position.step

    def stop(self, reason):
        """End training after this step.

        Parameters
        ----------
        reason : str
            What ``history.stopped_by`` will say.
        """
        self.reason = str(reason)

    def train(self, keeper, show_progress):
        """Train to the end.

        Parameters
        ----------
        keeper : Checkpoint or None
        show_progress : bool or None

        Returns
        -------
        History
        """
        if keeper is not None:
            keeper.start(self)
        if self.finished:
            if self._is_over() or self.history.stopped_by == "early stopping":
                return self.history
            self.finished = False  # it goes on for longer
        if self.live is not None:
            self.model.flat_params[...] = self.live
            self.live = None
        if keeper is not None:
            keeper.save(self)  # a folder that cannot be written is found now
        self._began = time.perf_counter() - self.position.seconds
        progress = self._progress(show_progress)
        try:
            with waiting_for_ctrl_c() as interrupt:
                for callback in self.callbacks:
                    callback.begin(self)
                try:
                    self._all_epochs(keeper, progress, interrupt)
                except TrainingDiverged as error:
                    error.history, error.step = self.history, self.step + 1
                    raise
                self._finish(keeper, progress)
        finally:
            progress.close()
        return self.history

    def _progress(self, show):
        source, total, left = self.source, None, None
        if source.rows is not None:
            full, rest = self.epochs, 0
            if self.steps is not None:
                full, rest = divmod(self.steps, source.batches)
            total = full * source.rows + rest * source.batch_size
        elif self.steps is not None:
            left = self.steps - self.position.step
        return Progress(show, total, self.position.sequences, self.epochs, left)

    def _is_over(self):
        at = self.position
        return at.epoch >= self.epochs if self.steps is None else at.step >= self.steps

    def _all_epochs(self, keeper, progress, interrupt):
        while not self._is_over() and self.reason is None:
            empty = True
            for batch in self.source.epoch(self.position.epoch, self.position.batch):
                empty = False
                self._train_on(batch)
                self._after_step(len(batch.x), keeper, progress)
                if interrupt.pressed and self.reason is None:
                    self.stop("interrupt")
                if self.reason is not None or (self.steps is not None and self._is_over()):
                    return
            if empty and self.position.batch == 0:
                raise ValueError(
                    f"fit: there is no batch in epoch {self.position.epoch + 1}, after "
                    f"{self.position.step} steps; x is an iterable that ends too early"
                )
            if self.source.batches is None:  # only now is it known that the epoch is over
                self._end_epoch(keeper, progress)

    def _train_on(self, batch):
        """One training step."""
        model, optimizer, sums = self.model, self.optimizer, self.sums
        if self.schedule is not None:
            optimizer.lr = self.schedule(self.position.step)
        output = model.forward(batch.x, lengths=batch.lengths, training=True)
        if self.objective is None:
            self.objective = self._choose_objective(output.shape, batch.y)
            check_labels("fit", self.objective, batch.y, output.shape)
        loss, doutput = self.objective(output, batch.y, batch.lengths)
        right, counted = self.objective.count(output, batch.y, batch.lengths)
        finite = math.isfinite(loss)
        if finite:
            model.backward(doutput, need_dx=False)
            if self.clip_norm is None:
                norm = gradient_norm(model)
            else:
                norm = clip_gradients(model, self.clip_norm)
            finite = math.isfinite(norm)
        if not finite:
            at = self.position
            raise explain(model, batch, at.step + 1, at.epoch + 1, loss, optimizer.lr)
        optimizer.step()
        if self.averaged is not None:
            n = self.position.step + 1
            kept = min(self.average, n / (n + 9))
            self.averaged += (1.0 - kept) * (model.flat_params - self.averaged)
        self.loss = loss
        sums.steps += 1
        sums.loss += loss * counted
        sums.right += right
        sums.counted += counted
        sums.norm += norm

    def _after_step(self, sequences, keeper, progress):
        """Count the step, and do what is due after it."""
        at, sums = self.position, self.sums
        at.step += 1
        at.batch += 1
        at.sequences += sequences
        at.seconds = time.perf_counter() - self._began
        accuracy = sums.right / sums.counted if self.objective.counts_right_answers else None
        progress.step(sequences, at.epoch + 1, sums.loss / sums.counted, accuracy)
        for callback in self.callbacks:
            callback.step(self)
        if at.batch == self.source.batches:
            self._end_epoch(keeper, progress)
        elif self.record_every is not None and at.step % self.record_every == 0:
            self._record(keeper, progress)
        elif keeper is not None and keeper.is_due(self):
            keeper.save(self)

    def _end_epoch(self, keeper, progress):
        at = self.position
        at.epoch, at.batch = at.epoch + 1, 0
        if self.record_every is None or at.step % self.record_every == 0:
            self._record(keeper, progress)

    def _record(self, keeper, progress):
        """Add to the history what was measured since the last record, and validate."""
        record = self._measured()
        live = None
        if self.averaged is not None:
            live = self.model.flat_params.copy()
            self.model.flat_params[...] = self.averaged
        if self.validation is not None:
            validation = evaluate_source(
                "fit: validation", self.model, self.validation, self.objective.function
            )
            record["val_loss"] = validation.loss
            if validation.accuracy is not None:
                record["val_accuracy"] = validation.accuracy
        self.position.seconds = time.perf_counter() - self._began
        self.history.add(**record, seconds=self.position.seconds)
        self.sums = Sums()
        progress.record(self.history.last())
        stopping = self.early_stopping
        if stopping is not None and stopping.seen(self.history.last(), self.model.flat_params):
            self.stop("early stopping")
        for callback in self.callbacks:
            callback.record(self)
        if live is not None:
            self.model.flat_params[...] = live
        if keeper is not None:
            keeper.save(self)

    def _measured(self):
        sums, at = self.sums, self.position
        record = {
            "epoch": at.epoch + (at.batch > 0),
            "step": at.step,
            "loss": sums.loss / sums.counted,
        }
        if self.objective.counts_right_answers:
            record["accuracy"] = sums.right / sums.counted
        record["grad_norm"] = sums.norm / sums.steps
        record["lr"] = self.optimizer.lr
        return record

    def _finish(self, keeper, progress):
        """The last record, the weights to keep, the last checkpoint."""
        reason = self.reason
        if reason == "interrupt" and keeper is not None:
            keeper.save(self)  # as if it went on
        if self.sums.steps:
            self._record(None, progress)
        self.history.stopped_by = reason or self.reason or "end"
        if reason == "interrupt":
            kept = f"; {keeper.path} is saved, resume=True goes on" if keeper is not None else ""
            progress.say(f"training stopped by Ctrl-C after step {self.position.step}{kept}")
        self._take_best_weights()
        for callback in self.callbacks:
            callback.end(self)
        self.finished = True
        if keeper is not None and reason != "interrupt":
            keeper.save(self)

    def _take_best_weights(self):
        best = self.averaged
        if self.early_stopping is not None and self.early_stopping.best_params is not None:
            best = self.early_stopping.best_params
        if best is not None:
            self.live = self.model.flat_params.copy()
            self.model.flat_params[...] = best
