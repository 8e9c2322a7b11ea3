"""Search for a recipe: which cell, how many units, which step size?  On one process or many.

Every process takes the next trial from one journal file, trains on one thread, and ends a trial
early that falls behind the others (Optuna).  Start the command as often as there are processors,
on every machine that sees the file, whenever you like; started again, the search goes on where it
was, and a trial whose process is gone is tried again.

    pip install -e ".[sweep]"
    python examples/sweep.py --study sweep.log --trials 24 --processes 2 --plot sweep.png
    python examples/sweep.py --study sweep.log --show            what has been found so far
    python examples/sweep.py --by joblib --trials 12 --processes 2        through scikit-learn
    python examples/sweep.py --by dask --scheduler tcp://host:8786        on a cluster of dask
"""

import argparse
import itertools
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from command_line import count, number, output, picture, run, seed

import rnnlite
from rnnlite import datasets
from rnnlite.needed import needed

# Searched: the smallest and the largest value, or a list to choose from.
CELLS = ["lstm", "gru", "rnn"]
UNITS = (16, 96)
LR = (5e-4, 5e-2)
BATCHES = [32, 64, 128]
DROPOUT = (0.0, 0.4)
MEASURE = "val_accuracy"
TRAINING = 3000  # of the 4,000 bundled training images


class Digits(NamedTuple):
    """Images and labels, to train on and to judge by."""

    train: tuple
    validation: tuple


# ---- one trial -----------------------------------------------------------------------------------


def build(cell, units, dropout, seed):
    """The network of a recipe: a recurrent layer, dropout, an answer for each digit."""
    layer = {"lstm": rnnlite.LSTM, "gru": rnnlite.GRU, "rnn": rnnlite.RNN}[cell]
    return rnnlite.Sequential([
        layer(28, units, seed=seed), rnnlite.Dropout(dropout, seed=seed + 1),
        rnnlite.Dense(units, 10, seed=seed + 2),
    ])  # fmt: skip


def objective(trial, data, args):
    """Accuracy on the validation images after training by the recipe of this trial."""
    from rnnlite.logs import OptunaPruning

    model = build(
        trial.suggest_categorical("cell", CELLS), trial.suggest_int("units", *UNITS, log=True),
        trial.suggest_float("dropout", *DROPOUT), args.seed,
    )  # fmt: skip
    lr = trial.suggest_float("lr", *LR, log=True)
    batch = trial.suggest_categorical("batch", BATCHES)
    trial.set_user_attr("process", [platform.node(), os.getpid()])
    history = rnnlite.fit(
        model, *data.train, optimizer=rnnlite.Adam(model, lr), epochs=args.epochs,
        batch_size=batch, validation=data.validation, clip_norm=1.0, seed=args.seed,
        callbacks=[OptunaPruning(trial, MEASURE)], progress=False,
    )  # fmt: skip
    if history.stopped_by == "interrupt":
        trial.study.enqueue_trial(trial.params)  # for whoever goes on
        raise KeyboardInterrupt
    return history[MEASURE][-1]


# ---- by Optuna, from a journal file --------------------------------------------------------------


def study_of(args):
    """The study that the journal file holds; a new one where there is no such file."""
    optuna = needed("sweep.py", "optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal = optuna.storages.journal
    # Every process draws recipes of its own: the sampler's seed is left to chance.
    return optuna.create_study(
        study_name="digits", direction="maximize", load_if_exists=True,
        storage=optuna.storages.JournalStorage(journal.JournalFileBackend(str(args.study))),
        sampler=optuna.samplers.TPESampler(multivariate=True, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )  # fmt: skip


def is_gone(trial):
    """Whether a running trial was of a process of this machine that has ended."""
    machine, process = trial.user_attrs.get("process", (None, None))
    return machine == platform.node() and not needed("sweep.py", "psutil").pid_exists(process)


def try_again(study):
    """Recipes whose process ended half-way wait to be tried anew; how many there were."""
    from optuna.trial import TrialState

    lost = [trial for trial in study.get_trials(states=[TrialState.RUNNING]) if is_gone(trial)]
    for trial in lost:
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return len(lost)


def finished(study):
    """Trials that count: ended by themselves, or early because others were better."""
    return [trial for trial in study.get_trials() if trial.state.name in ("COMPLETE", "PRUNED")]


def search_with_optuna(args):
    """Trials until the study has as many as asked for; rows of the table."""
    study = study_of(args)
    if not args.show:
        data, began = digits(args), time.perf_counter()
        if again := try_again(study):
            print(f"{again} trials of processes that are gone are tried again")
        helpers = [start_another(args) for _ in range(args.processes - 1)]

        def told(study, trial):
            value = trial.value if trial.state.name == "COMPLETE" else None
            shown = f"{value:.4f}" if value is not None else "ended early"
            print(f"trial {trial.number:3d}  {describe(trial.params)}  {shown}", flush=True)
            if len(finished(study)) >= args.trials:
                study.stop()

        try:
            if len(finished(study)) < args.trials:
                study.optimize(lambda trial: objective(trial, data, args), callbacks=[told])
            for process in helpers:
                process.wait()
        except KeyboardInterrupt:
            if not args.quiet:
                print("stopped by Ctrl-C; the same command goes on from here")
        finally:
            for process in helpers:
                process.terminate()
        if not args.quiet:
            print(f"{time.perf_counter() - began:.0f} s")
    return [row_of(trial) for trial in finished(study)]


def row_of(trial):
    """A trial of Optuna as a row of the table."""
    ended = trial.state.name == "COMPLETE"
    best = trial.value if ended else max(trial.intermediate_values.values(), default=0.0)
    return Row(trial.params, ended, best, trial.duration.total_seconds())


def start_another(args):
    """A further process of this program, for the same file."""
    options = ["--study", args.study, "--trials", args.trials, "--epochs", args.epochs,
               "--images", args.images, "--seed", args.seed, "--quiet"]  # fmt: skip
    return subprocess.Popen([sys.executable, __file__, *map(str, options)])


# ---- the same through scikit-learn ---------------------------------------------------------------


def search_with_sklearn(args):
    """As many recipes drawn at random, cross-validated in workers of joblib or dask."""
    needed("sweep.py", "sklearn", package="scikit-learn")
    import joblib
    from scipy import stats
    from sklearn.model_selection import RandomizedSearchCV

    from rnnlite.sklearn import RNNClassifier

    if args.by == "dask":  # of other machines, or workers of its own on this one
        distributed = needed("sweep.py", "distributed", package="'dask[distributed]'")
        own = {"n_workers": args.processes, "threads_per_worker": 1, "dashboard_address": None}
        client = distributed.Client(args.scheduler) if args.scheduler else distributed.Client(**own)
    jobs = -1 if args.scheduler else args.processes  # -1: as many as the cluster has threads
    data = digits(args)
    search = RandomizedSearchCV(
        RNNClassifier(epochs=args.epochs, random_state=args.seed, standardize=False),
        {"cell": CELLS, "units": stats.randint(UNITS[0], UNITS[1] + 1),
         "lr": stats.loguniform(*LR), "batch_size": BATCHES,
         "dropout": stats.uniform(DROPOUT[0], DROPOUT[1] - DROPOUT[0])},
        n_iter=args.trials, cv=2, random_state=args.seed, n_jobs=jobs, refit=False,
        error_score="raise",
    )  # fmt: skip
    began = time.perf_counter()
    with joblib.parallel_config("dask" if args.by == "dask" else "loky", n_jobs=jobs):
        search.fit(*data.train)
    if args.by == "dask":
        client.close()
    print(f"{time.perf_counter() - began:.0f} s")
    found, rows = search.cv_results_, []
    for params, score, seconds in zip(
        found["params"], found["mean_test_score"], found["mean_fit_time"], strict=True
    ):
        params["batch"] = params.pop("batch_size")
        rows.append(Row(params, True, float(score), float(seconds)))
    return rows


# ---- what was found ------------------------------------------------------------------------------


class Row(NamedTuple):
    """A recipe and what came of it."""

    params: dict
    ended: bool  # by itself; False if it was ended early
    accuracy: float  # at the end; the best until then of one that was ended early
    seconds: float


def describe(params):
    """A recipe in a line."""
    return (
        f"{params['cell']:4}  {params['units']:3d} units  lr {params['lr']:.4f}"
        f"  batch {params['batch']:3d}  dropout {params['dropout']:.2f}"
    )


def table(rows, shown=10):
    """The best recipes, one in a line, and how many were ended early."""
    whole = sorted((row for row in rows if row.ended), key=lambda row: -row.accuracy)
    print(f"\n{len(rows)} trials, {len(rows) - len(whole)} of them ended early; the best:")
    for row in whole[:shown]:
        print(f"  {row.accuracy:.4f}  {describe(row.params)}  {row.seconds:5.1f} s")


def plot(rows, path):
    """Accuracy against the step size and in the order of the trials, a mark for each cell."""
    from matplotlib import pyplot

    figure, (recipes, progress) = pyplot.subplots(
        1, 2, figsize=(10, 4), sharey=True, layout="constrained"
    )
    for cell, mark in zip(CELLS, "os^", strict=True):
        for ended in (True, False):
            own = [
                (n, row) for n, row in enumerate(rows, 1)
                if row.params["cell"] == cell and row.ended == ended
            ]  # fmt: skip
            style = {"fillstyle": "full" if ended else "none", "color": f"C{CELLS.index(cell)}"}
            best = [row.accuracy for _, row in own]
            label = cell if ended else None
            recipes.plot([row.params["lr"] for _, row in own], best, mark, label=label, **style)
            progress.plot([n for n, _ in own], best, mark, **style)
    recipes.plot([], [], "ko", fillstyle="none", label="ended early")
    recipes.set(xscale="log", xlabel="step size of Adam", ylabel="accuracy on validation images")
    recipes.legend()
    so_far = itertools.accumulate((row.accuracy for row in rows), max)
    progress.step(range(1, len(rows) + 1), list(so_far), where="post", color="0.6", zorder=0)
    progress.set(xlabel="trial; grey: the best so far")
    progress.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(path)
    print(f"picture: {path}")


# ---- the command line ----------------------------------------------------------------------------


def digits(args):
    """Bundled digits: as many as are asked for to train on, 1,000 others to judge recipes by."""
    x, y = datasets.mnist_5k().train
    return Digits((x[: args.images], y[: args.images]), (x[TRAINING:], y[TRAINING:]))


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Search for a recipe that learns digits.")
    add = parser.add_argument
    add(
        "--by", choices=["optuna", "joblib", "dask"], default="optuna",
        help="who deals the trials; joblib and dask through scikit-learn (default: %(default)s)",
    )  # fmt: skip
    add(
        "--study", metavar="FILE", type=output, default="sweep.log",
        help="journal of Optuna's study, shared by all processes (default: %(default)s)",
    )  # fmt: skip
    add("--trials", type=count, default=20, help="of all processes together (default: %(default)s)")
    add("--processes", type=count, default=1, help="on this machine (default: %(default)s)")
    add("--epochs", type=count, default=4, help="of each trial (default: %(default)s)")
    add(
        "--images", type=number(int, 100, TRAINING), default=TRAINING,
        help="to train on, 100 to 3000 (default: %(default)s)",
    )  # fmt: skip
    add("--seed", type=seed, default=0, help="of weights and batches (default: %(default)s)")
    add("--scheduler", metavar="ADDRESS", help="of a cluster of dask; without it, one is made here")
    add("--show", action="store_true", help="only show what the study has found")
    add("--plot", metavar="FILE", type=picture, help="draw what was found")
    add("--quiet", action="store_true", help="without the table, for further processes")
    args = parser.parse_args()
    if args.show and not (args.by == "optuna" and Path(args.study).exists()):
        parser.error(f"argument --show: there is no study {args.study!r}")
    if args.scheduler and args.by != "dask":
        parser.error(f"argument --scheduler: it is dask's, and --by is {args.by}")
    return args


def main():
    """Search, then show what was found."""
    args = options()
    rnnlite.set_num_threads(1)
    try:
        rows = (search_with_optuna if args.by == "optuna" else search_with_sklearn)(args)
    except ImportError as error:
        sys.exit(str(error))
    if args.quiet:
        return
    table(rows)
    if args.plot:
        plot(rows, args.plot)


if __name__ == "__main__":
    run(main)
