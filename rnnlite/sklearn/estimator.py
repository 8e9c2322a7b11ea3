"""What RNNClassifier and RNNRegressor share: their arguments, and training."""

from types import SimpleNamespace

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from rnnlite import checking
from rnnlite.optim import Adam
from rnnlite.sklearn import network, scaling, sequences, workers
from rnnlite.training import EarlyStopping, fit, predict_values

# With more rows "auto" stops early, as in scikit-learn's HistGradientBoosting.
MANY_ROWS = 10_000


class RNNEstimator(BaseEstimator):
    """Base of the estimators: trains a network on X and on y that the derived class encodes."""

    class_weight = None

    def __init__(
        self, cell="lstm", units=32, *, layers=1, bidirectional=False, dropout=0.0, epochs=100,
        batch_size=128, lr=0.01, schedule="constant", clip_norm=1.0, early_stopping="auto",
        validation_fraction=0.1, n_iter_no_change=10, tol=0.0, standardize=True, dtype=None,
        compute_dtype=None, random_state=None, n_threads=None, verbose=0,
    ):  # fmt: skip
        self.cell = cell
        self.units = units
        self.layers = layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.schedule = schedule
        self.clip_norm = clip_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.standardize = standardize
        self.dtype = dtype
        self.compute_dtype = compute_dtype
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose

    def fit(self, X, y, sample_weight=None):
        """Train a new network.

        Parameters
        ----------
        X : array_like (n, T) or (n, T, F), or list of n sequences (T_i,) or (T_i, F)
            Sequences; NaN behind the end of one that is shorter.
        y : array_like (n,) or (n, outputs)
        sample_weight : array_like (n,), optional
            How often each row counts; one of 0 is as if it were not there.

        Returns
        -------
        self
        """
        settings, where = self._checked_settings(), f"{type(self).__name__}.fit"
        rng = check_random_state(self.random_state)
        x, lengths, y = sequences.read(self, X, y, reset=True)
        data = self._data(where, x, lengths, y, sample_weight)
        self._target = self._new_target(where, data.y)
        data, held = self._set_aside(settings, data, rng)
        self._begin(where, settings, data, rng)
        batches = settings.epochs * -(-len(data.x) // settings.batch_size)
        stopping = None
        if settings.early_stopping:
            monitor = "loss" if held is None else "val_loss"
            stopping = EarlyStopping(settings.patience, monitor, settings.tol)
        validation = None
        if held is not None:
            x, codes, _ = self._prepared(where, held)
            validation = (x, codes, held.lengths)
        self.history_ = self._train(
            where, settings, data, epochs=settings.epochs,
            optimizer=Adam(self.model_, settings.lr), early_stopping=stopping,
            validation=validation,
            schedule=network.schedule(where, settings.schedule, settings.lr, batches),
        )  # fmt: skip
        self.n_iter_ = self.history_["epoch"][-1]
        return self

    def _partial_fit(self, X, y, sample_weight, classes):
        """One pass over more data, by a network that is new at the first call."""
        settings, where = self._checked_settings(), f"{type(self).__name__}.partial_fit"
        is_first = not hasattr(self, "model_")
        x, lengths, y = sequences.read(self, X, y, reset=is_first)
        data = self._data(where, x, lengths, y, sample_weight)
        if is_first:
            rng = check_random_state(self.random_state)
            self._target = self._new_target(where, data.y, classes)
            self._begin(where, settings, data, rng)
            self.n_iter_ = 0
        optimizer = Adam(self.model_, settings.lr)
        if self.n_iter_:
            optimizer.load_state_dict(self.optimizer_state_ | {"lr": settings.lr})
        self.history_ = self._train(where, settings, data, optimizer=optimizer)
        self.n_iter_ += 1
        return self

    def _checked_settings(self):
        """The arguments as numbers, each within its bounds."""
        where, found = type(self).__name__, SimpleNamespace()
        for name in ("units", "layers", "epochs", "batch_size"):
            setattr(found, name, checking.whole_number(where, name, getattr(self, name)))
        found.patience = checking.whole_number(where, "n_iter_no_change", self.n_iter_no_change)
        found.cell = network.checked_cell(where, self.cell)
        for name in ("bidirectional", "standardize"):
            setattr(found, name, checking.true_or_false(where, name, getattr(self, name)))
        found.dropout = checking.real_number(
            where, "dropout", self.dropout, 0.0, 1.0, high_included=False
        )
        found.lr = checking.real_number(where, "lr", self.lr, 0.0, 1e6)
        found.tol = checking.real_number(where, "tol", self.tol, 0.0, 1e30)
        found.clip_norm, found.dtype = self.clip_norm, self.dtype
        if self.dtype is not None:
            found.dtype = checking.float_dtype(where, self.dtype)
        found.compute_dtype = self.compute_dtype
        if self.compute_dtype is not None:
            found.dtype = checking.float_dtype(where, found.dtype or np.float32)
            checking.compute_dtype(where, self.compute_dtype, found.dtype)
        found.schedule = self.schedule
        network.schedule(where, self.schedule, 0.1, 1)
        found.early_stopping = self.early_stopping
        if self.early_stopping != "auto":
            found.early_stopping = checking.true_or_false(
                where, "early_stopping", self.early_stopping
            )
        found.validation_fraction = self.validation_fraction
        if self.validation_fraction is not None:
            found.validation_fraction = checking.real_number(
                where, "validation_fraction", self.validation_fraction, 0.0, 1.0,
                low_included=False, high_included=False,
            )  # fmt: skip
        return found

    def _data(self, where, x, lengths, y, sample_weight):
        """The rows that count, with what they weigh."""
        data = SimpleNamespace(x=x, lengths=lengths, y=y, weights=None)
        if sample_weight is None:
            return data
        weights = check_array(
            sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
        )
        if weights.shape != (len(x),):
            wanted = f"({len(x)},), one for each row"
            raise ValueError(f"{where}: sample_weight has shape {weights.shape}; wanted {wanted}")
        if weights.min() < 0:
            raise ValueError(f"{where}: sample_weight has {weights.min()}; none may be negative")
        if not weights.any():
            raise ValueError(f"{where}: sample_weight is zero for every row")
        data.weights = weights
        return data if weights.all() else _rows(data, np.flatnonzero(weights))

    def _set_aside(self, settings, data, rng):
        """The rows to train on, and those to stop early by, or None."""
        if settings.early_stopping == "auto":
            settings.early_stopping = len(data.x) > MANY_ROWS
        if not settings.early_stopping or settings.validation_fraction is None:
            return data, None
        train, held = train_test_split(
            np.arange(len(data.x)), test_size=settings.validation_fraction, random_state=rng,
            stratify=self._stratify(data.y),
        )  # fmt: skip
        return _rows(data, np.sort(train)), _rows(data, np.sort(held))

    def _stratify(self, y):
        return None

    def _begin(self, where, settings, data, rng):
        """A new network, and the scale of what it will see."""
        F = self.features_per_step_
        self.mean_, self.scale_ = np.zeros(F), np.ones(F)
        if settings.standardize:
            self.mean_, self.scale_ = scaling.moments(data.x, data.lengths, data.weights)
        self._learn_target_scale(settings, data)
        dtype = data.x.dtype if settings.dtype is None else settings.dtype
        self.model_ = network.build(where, settings, F, self._outputs(), dtype, rng)
        self._seed = network.draw(rng)  # of the order of rows

    def _prepared(self, where, data):
        """x, y and weights as the network is given them."""
        x = scaling.standardized(data.x, self.mean_, self.scale_, self.model_.dtype)
        return x, *self._encoded(where, data)

    def _train(self, where, settings, data, *, optimizer, **options):
        x, codes, weights = self._prepared(where, data)
        with workers.threads(type(self).__name__, self.n_threads):
            history = fit(
                self.model_, x, codes, lengths=data.lengths, sample_weight=weights,
                optimizer=optimizer, seed=self._seed, batch_size=settings.batch_size,
                loss=self._loss(), clip_norm=settings.clip_norm, progress=bool(self.verbose),
                **options,
            )  # fmt: skip
        self.optimizer_state_ = optimizer.state_dict()
        return history

    def _values(self, X):
        """What the network answers to X, (n, outputs)."""
        check_is_fitted(self)
        x, lengths, _ = sequences.read(self, X)
        x = scaling.standardized(x, self.mean_, self.scale_, self.model_.dtype)
        with workers.threads(type(self).__name__, self.n_threads):
            return predict_values(self.model_, x, lengths=lengths)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        return tags


def _rows(data, chosen):
    parts = {k: None if v is None else v[chosen] for k, v in vars(data).items()}
    return SimpleNamespace(**parts)
