"""Callbacks that tell others how training goes: files, TensorBoard, MLflow, Optuna.

    CSVLog           csv_log.py        a table on the disk, a line at each record
    TensorBoard      tensorboard.py    curves to watch in a browser, by tensorboardX
    MLflow           mlflow.py         runs with their settings and figures, to compare later
    OptunaPruning    optuna.py         ends a trial that will not be the best

Give them to ``fit(callbacks=[...])``.  Each imports its library when it is made.
"""

from rnnlite.logs.csv_log import CSVLog
from rnnlite.logs.mlflow import MLflow
from rnnlite.logs.optuna import OptunaPruning
from rnnlite.logs.tensorboard import TensorBoard

__all__ = ["CSVLog", "MLflow", "OptunaPruning", "TensorBoard"]
