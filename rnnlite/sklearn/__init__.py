"""Recurrent networks as estimators of scikit-learn.

    RNNClassifier, RNNRegressor    classifier.py, regressor.py
    estimator.py                   what both share: arguments, fit, partial_fit
    sequences.py                   X as (n, T, F) and lengths, whatever it came as
    scaling.py                     mean 0 and standard deviation 1, learned where training looks
    targets.py                     names of classes as numbers, and back
    network.py                     the model and the schedule that the arguments describe

They are in no pipeline by themselves: ``model_`` is an ordinary ``rnnlite.Sequential``.
"""

try:
    import sklearn.utils.validation as _validation
except ImportError as error:
    raise ImportError(
        "rnnlite.sklearn needs the library scikit-learn, 1.6 or newer: pip install scikit-learn"
    ) from error
if not hasattr(_validation, "validate_data"):
    import sklearn

    raise ImportError(
        f"rnnlite.sklearn needs scikit-learn 1.6 or newer, and {sklearn.__version__} is installed: "
        "pip install -U scikit-learn"
    )

from rnnlite.sklearn.classifier import RNNClassifier
from rnnlite.sklearn.regressor import RNNRegressor

__all__ = ["RNNClassifier", "RNNRegressor"]
