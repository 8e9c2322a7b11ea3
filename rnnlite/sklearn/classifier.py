"""RNNClassifier: a recurrent network that names the class of each sequence."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import column_or_1d

from rnnlite.sklearn import targets
from rnnlite.sklearn.estimator import RNNEstimator


class RNNClassifier(ClassifierMixin, RNNEstimator):
    """A recurrent network that names the class of each sequence, as an estimator of scikit-learn.

    X is an array (n, T, F): n sequences of T steps of F features.  A table (n, T) is read as
    (n, T, 1).  Where sequences end early, NaN stands behind the end, or X is a list of n sequences
    (T_i, F) or (T_i,).  NaN anywhere else is a missing value, and refused.

    y is an array (n,) of names or numbers of classes; (n, K) of 0 and 1 for K questions of yes or
    no; or (n, K) of classes, for K questions with classes of their own.

    It computes in the precision of X: float32 takes half the time and half the memory.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"} or Cell
        The recurrent cell; ``rnnlite.custom_cell`` makes one of equations of yours.
    units : int
        Hidden units in each layer, and direction.
    layers : int
        Recurrent layers, one on top of the other.
    bidirectional : bool
        Whether each layer reads in both directions.
    dropout : float
        Share of each layer's output that is dropped while training.
    epochs : int
        Passes over the data, at most.
    batch_size : int
        Rows in a step.
    lr : float
        Step size of Adam.
    schedule : {"constant", "one_cycle", "cosine"} or callable
        How the step size goes from there over the whole of ``fit``; a callable is given the step,
        from 0, as ``rnnlite.schedules`` are.  ``partial_fit`` stays at ``lr``.
    clip_norm : float, optional
        Largest norm of a step's gradient.
    early_stopping : bool or "auto"
        Whether to stop when rows that were set aside are not answered better any more, and to go
        back to the best weights.  "auto": with more than 10,000 rows.
    validation_fraction : float, optional
        Share of the rows to set aside, evenly from all classes.  None: stop by the training loss.
    n_iter_no_change : int
        Epochs without a better loss before it stops.
    tol : float
        By how much a loss must be lower to be better.
    class_weight : dict from class to weight, "balanced", or None
        What rows of a class count, times ``sample_weight``.
    standardize : bool
        Whether to give the network each feature with mean 0 and standard deviation 1, as learned
        from the steps of the training rows.
    dtype : {"float32", "float64"}, optional
        Precision of the network, if not that of X.
    compute_dtype : {"bfloat16", "bfloat16_weight_gradients"}, optional
        Round the numbers of every product, or of the weight gradients alone; sums and all else stay
        float32: faster where the processor has instructions for it (docs/bfloat16.md).  The network
        is then float32, whatever X is.
    random_state : int, RandomState or None
        Of initial weights, dropout, the order of rows, and the rows set aside.
    n_threads : int, optional
        Threads to compute with.  By default 1 in a worker of joblib, else
        ``rnnlite.get_num_threads()``.  Results do not depend on it.
    verbose : int
        0 for silence, 1 for a line an epoch.

    Attributes
    ----------
    model_ : Sequential
        The network, as all of rnnlite takes it: ``save``, ``trace``, ``explain``, ...
    history_ : History
        Figures of the last training, a record an epoch.
    classes_ : numpy.ndarray (C,), or list of K of them
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        T of a table, else F.
    mean_, scale_ : numpy.ndarray (F,) float64
        What is taken off each feature, and by what it is divided.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(200, 6)).astype("float32")
    >>> y = np.where(X.sum(axis=1) > 0, "up", "down")
    >>> classifier = RNNClassifier("gru", 8, epochs=30, random_state=0).fit(X, y)
    >>> bool(classifier.score(X, y) > 0.9), classifier.classes_.tolist()
    (True, ['down', 'up'])
    """

    def __init__(
        self, cell="lstm", units=32, *, layers=1, bidirectional=False, dropout=0.0, epochs=100,
        batch_size=128, lr=0.01, schedule="constant", clip_norm=1.0, early_stopping="auto",
        validation_fraction=0.1, n_iter_no_change=10, tol=0.0, class_weight=None,
        standardize=True, dtype=None, compute_dtype=None, random_state=None, n_threads=None,
        verbose=0,
    ):  # fmt: skip
        super().__init__(
            cell, units, layers=layers, bidirectional=bidirectional, dropout=dropout,
            epochs=epochs, batch_size=batch_size, lr=lr, schedule=schedule, clip_norm=clip_norm,
            early_stopping=early_stopping, validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change, tol=tol, standardize=standardize, dtype=dtype,
            compute_dtype=compute_dtype, random_state=random_state, n_threads=n_threads,
            verbose=verbose,
        )  # fmt: skip
        self.class_weight = class_weight

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Go on training with more rows, one pass over them, at the step size ``lr``.

        Parameters
        ----------
        X, y, sample_weight : as for ``fit``
        classes : array_like (C,), or list of K of them, optional
            All classes there will ever be, at the first call; those of y if not given.

        Returns
        -------
        self
        """
        if isinstance(self.class_weight, str):
            hint = "which takes all rows at once; give a dict, or sample_weight"
            raise ValueError(f"RNNClassifier.partial_fit: class_weight is 'balanced', {hint}")
        return self._partial_fit(X, y, sample_weight, classes)

    def predict(self, X):
        """The class of each sequence.

        Parameters
        ----------
        X : as for ``fit``

        Returns
        -------
        numpy.ndarray (n,), or (n, K) for K questions
        """
        scores = self._values(X)
        return self._target.decode(scores)

    def predict_proba(self, X):
        """The probability of each class.

        Parameters
        ----------
        X : as for ``fit``

        Returns
        -------
        numpy.ndarray (n, C) in the order of ``classes_``; of K questions of yes or no that of yes,
        (n, K); of K questions with classes of their own a list of K arrays (n, C)
        """
        scores = self._values(X)
        return self._target.probabilities(scores)

    def decision_function(self, X):
        """The scores of which ``predict_proba`` is the softmax, or the sigmoid.

        Parameters
        ----------
        X : as for ``fit``

        Returns
        -------
        numpy.ndarray (n, C), as for ``predict_proba``; of two classes how far the second is ahead,
        (n,)
        """
        scores = self._values(X)
        return self._target.decisions(scores)

    def score(self, X, y, sample_weight=None):
        """The share of sequences whose class is right; of K questions, all K of them.

        Parameters
        ----------
        X, y, sample_weight : as for ``fit``

        Returns
        -------
        float
        """
        y = np.asarray(_plain(y)) if hasattr(y, "ndim") else np.asarray(y)
        if y.ndim < 2:
            return super().score(X, y, sample_weight)
        right = np.all(self.predict(X) == y, axis=1)
        return float(np.average(right, weights=sample_weight))

    def _new_target(self, where, y, classes=None):
        target = targets.target_of(where, _plain(y), classes)
        self.classes_ = target.classes
        return target

    def _stratify(self, y):
        return y if isinstance(self._target, targets.OneClass) else None

    def _learn_target_scale(self, settings, data):
        pass

    def _outputs(self):
        return self._target.outputs

    def _loss(self):
        return self._target.loss

    def _encoded(self, where, data):
        codes, weights = self._target.encode(where, _plain(data.y)), data.weights
        if self.class_weight is not None:
            counts = np.ones(len(codes)) if weights is None else weights
            if self._target.weights is None:
                of_classes = compute_sample_weight(self.class_weight, _plain(data.y))
            else:
                of_classes = self._target.weights(where, self.class_weight, codes, counts)
            if not (np.isfinite(of_classes).all() and of_classes.min() >= 0):
                wanted = "finite weights of at least 0"
                got = f"class_weight is {self.class_weight!r:.200}"
                raise ValueError(f"{where}: {got}; wanted {wanted}")
            weights = counts * of_classes
        return codes, weights

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _plain(y):
    """y as an array (n,) or (n, K)."""
    y = y.toarray() if issparse(y) else y
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
