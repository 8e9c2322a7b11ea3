"""RNNRegressor: a recurrent network that answers each sequence with numbers."""

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d

from rnnlite.sklearn import scaling
from rnnlite.sklearn.estimator import RNNEstimator


class RNNRegressor(RegressorMixin, RNNEstimator):
    """A recurrent network that answers each sequence with numbers, as an estimator of scikit-learn.

    X is what ``RNNClassifier`` takes; y is an array (n,) or (n, K) of numbers.  With
    ``standardize`` the network learns y, too, with mean 0 and standard deviation 1.

    Parameters
    ----------
    cell, units, layers, bidirectional, dropout : as for ``RNNClassifier``
    epochs, batch_size, lr, schedule, clip_norm : as for ``RNNClassifier``
    early_stopping, validation_fraction, n_iter_no_change, tol : as for ``RNNClassifier``
    standardize, dtype, compute_dtype, random_state, n_threads, verbose : as for ``RNNClassifier``

    Attributes
    ----------
    model_, history_, n_iter_, n_features_in_, mean_, scale_ : as of ``RNNClassifier``
    y_mean_, y_scale_ : numpy.ndarray (K,) float64
        ``predict`` returns what the network says times ``y_scale_`` plus ``y_mean_``.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 6)).astype("float32")
    >>> y = 100 + 10 * X.sum(axis=1)
    >>> regressor = RNNRegressor("gru", 8, epochs=50, random_state=0).fit(X, y)
    >>> bool(regressor.score(X, y) > 0.9)
    True
    """

    def partial_fit(self, X, y, sample_weight=None):
        """Go on training with more rows, one pass over them, at the step size ``lr``.

        Parameters
        ----------
        X, y, sample_weight : as for ``fit``

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight, None)

    def predict(self, X):
        """The numbers for each sequence.

        Parameters
        ----------
        X : as for ``fit``

        Returns
        -------
        numpy.ndarray (n,), or (n, K) as y had
        """
        y = self._values(X) * self.y_scale_ + self.y_mean_
        return y if self._target else y[:, 0]

    def _new_target(self, where, y, classes=None):
        return y.shape[1] if y.ndim == 2 and y.shape[1] > 1 else 0

    def _learn_target_scale(self, settings, data):
        y = np.asarray(_plain(data.y), np.float64).reshape(len(data.y), -1)
        self.y_mean_, self.y_scale_ = np.zeros(y.shape[1]), np.ones(y.shape[1])
        if settings.standardize:
            self.y_mean_, self.y_scale_ = scaling.moments(y, weights=data.weights)

    def _outputs(self):
        return self._target or 1

    def _loss(self):
        return "mean_squared_error"

    def _encoded(self, where, data):
        y = np.asarray(_plain(data.y), np.float64).reshape(len(data.y), -1)
        if y.shape[1] != self._outputs():
            wanted = f"{self._outputs()} in each row"
            raise ValueError(f"{where}: y has {y.shape[1]} values; wanted {wanted}")
        return (y - self.y_mean_) / self.y_scale_, data.weights


def _plain(y):
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
