"""X as people have it, (n, T), (n, T, F) or a list of sequences, as (n, T, F) and lengths.

A table (n, T) is n sequences of T steps of one feature.  Where sequences end early, NaN stands
behind the end, or X is a list of them.  NaN at any other place is a missing value, and refused:
what should stand there is not for a network to guess.
"""

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils.validation import check_array, check_X_y, validate_data

from rnnlite import checking, padding

NO_Y = "no_validation"  # as scikit-learn says that there is none to look at
FLOATS = (np.float64, np.float32)  # what X stays; other numbers become the first


def read(estimator, X, y=NO_Y, reset=False):
    """x (n, T, F) of floats, lengths (n,) or None, and y, checked as scikit-learn does.

    With ``reset`` X says how many features there are; otherwise they must be as many as before.
    """
    where, lengths = type(estimator).__name__, None
    options = {"dtype": FLOATS, "ensure_all_finite": "allow-nan"}
    if y is not NO_Y:
        options |= {"multi_output": True, "y_numeric": is_regressor(estimator)}
    X = list(X) if isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1 else X
    if padding.are_ragged(X):
        steps = [_with_features(checking.any_array(where, f"X[{n}]", s)) for n, s in enumerate(X)]
        X, lengths = padding.as_array(where, "X", steps, None)
        options["ensure_all_finite"] = True
    elif isinstance(X, list):  # of float32 arrays scikit-learn would make float64
        X = checking.any_array(where, "X", X)
    is_table = getattr(X, "ndim", 2) != 3
    if is_table and not reset and estimator.fitted_to_sequences_ and estimator.n_features_in_ > 1:
        got = f"X has shape {np.shape(X)}"
        wanted = f"sequences of {estimator.n_features_in_} features, (n, T, F) or a list of (T, F)"
        raise ValueError(f"{where}: {got}; wanted {wanted}; a single one goes in as [sequence]")
    # One more way: to a network that was fitted to sequences of one feature, a table is more of
    # them, of any length.
    if is_table and (reset or not estimator.fitted_to_sequences_):
        found = validate_data(estimator, X, y, reset=reset, **options)
    elif y is NO_Y:
        found = check_array(X, estimator=estimator, allow_nd=True, **options)
    else:
        found = check_X_y(X, y, estimator=estimator, allow_nd=True, **options)
    x, y = (found, y) if y is NO_Y else found
    if is_table:
        x = x[:, :, None]
    if 0 in x.shape:
        raise ValueError(f"{where}: X has shape {x.shape}; wanted (rows, steps, features), no 0")
    _features(where, estimator, x.shape[2], reset, is_table)
    return *(padding.until_nan(where, x) if lengths is None else (x, lengths)), y


def _with_features(steps):
    """A sequence of numbers (T,) as (T, 1)."""
    return steps[:, None] if steps.ndim == 1 and steps.size else steps


def _features(where, estimator, F, reset, is_table):
    """Keep how many features a step has, or compare."""
    if reset:
        estimator.features_per_step_, estimator.fitted_to_sequences_ = F, not is_table
        if not is_table:
            estimator.n_features_in_ = F
            if hasattr(estimator, "feature_names_in_"):  # of a table, fitted to before
                del estimator.feature_names_in_
    elif estimator.features_per_step_ != F:
        wanted = f"{where} is expecting {estimator.features_per_step_} features as input"
        raise ValueError(f"X has {F} features, but {wanted}")
