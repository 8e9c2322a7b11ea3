"""Training: ``fit``, and what to ask a model afterwards.

fit.py, run.py                the arguments of fit, checked; the loop: steps, records, the end
batches.py, objective.py      where batches come from; the loss, and what a right answer is
history.py, counters.py       the figures of a run; where it is
callbacks.py, checkpoint.py   early stopping and callbacks of one's own; a run in a file
divergence.py                 NaN and infinity: which step, which layer, what to try
progress.py, interrupt.py     the bar; Ctrl-C
evaluation.py, confusion.py   evaluate, predict; which classes are taken for which
plots.py                      pictures, with matplotlib
"""

from rnnlite.training.batches import DataWarning
from rnnlite.training.callbacks import Callback, EarlyStopping
from rnnlite.training.confusion import ConfusionMatrix, confusion_matrix
from rnnlite.training.divergence import TrainingDiverged
from rnnlite.training.evaluation import (
    Metrics,
    accuracy_interval,
    evaluate,
    predict,
    predict_proba,
    predict_values,
)
from rnnlite.training.fit import fit
from rnnlite.training.history import History

__all__ = [
    "Callback", "ConfusionMatrix", "DataWarning", "EarlyStopping", "History", "Metrics",
    "TrainingDiverged", "accuracy_interval", "confusion_matrix", "evaluate", "fit", "predict",
    "predict_proba", "predict_values",
]  # fmt: skip
