"""examples/sweep.py: one search by several processes, ended and begun again; by joblib and dask."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from programs import EXAMPLES

for library in ("optuna", "psutil"):
    pytest.importorskip(library, reason=f"{library} is not installed: pip install -e '.[sweep]'")

# They train networks in processes of their own.
pytestmark = pytest.mark.long
FEW = ("--epochs", 2, "--images", 200)


def started(folder, *arguments):
    """The program, in a folder."""
    command = [sys.executable, EXAMPLES / "sweep.py", *FEW, *arguments]
    return subprocess.Popen(
        list(map(str, command)), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def told(folder, *arguments):
    """What it prints."""
    out, err = (process := started(folder, *arguments)).communicate(timeout=180)
    assert process.returncode == 0, err
    return out


def rows(text):
    """The accuracies of the table, best first, and how many trials it counts, how many early."""
    trials, early = map(int, re.search(r"^(\d+) trials, (\d+) of them", text, re.M).groups())
    found = re.findall(r"^  (0\.\d{4})  (?:lstm|gru |rnn ) ", text, re.M)
    return [float(value) for value in found], trials, early


def test_two_processes_share_a_search_that_goes_on_where_it_was(tmp_path):
    out = told(tmp_path, "--trials", 5, "--processes", 2, "--plot", "sweep.png")
    values, trials, early = rows(out)
    assert trials >= 5 and len(values) == trials - early
    assert values == sorted(values, reverse=True) and values[0] > 0.15
    assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"
    assert out.count("\ntrial") + out.startswith("trial") == trials  # both report, each its own
    again = told(tmp_path, "--trials", trials + 1)
    assert rows(again)[1] == trials + 1 and again.count("trial ") == 1
    shown = told(tmp_path, "--show")
    assert rows(shown) == rows(again)


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
def test_a_recipe_whose_process_was_killed_is_tried_again(tmp_path):
    import optuna

    process = started(tmp_path, "--trials", 50, "--epochs", 100)
    journal = tmp_path / "sweep.log"
    deadline = time.monotonic() + 120
    while not (journal.exists() and '"process"' in journal.read_text()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    out = told(tmp_path, "--trials", 1)
    assert out.startswith("1 trials of processes that are gone are tried again\n")
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(journal))
    )
    lost, again = optuna.load_study(study_name="digits", storage=storage).trials
    assert (lost.state.name, again.state.name) == ("FAIL", "COMPLETE")
    assert lost.params == again.params


@pytest.mark.skipif(os.name == "nt", reason="no Ctrl-C for one process on Windows")
def test_ctrl_c_ends_a_search_with_what_it_has(tmp_path):
    process = started(tmp_path, "--trials", 500)
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert first.startswith("trial   0") and "stopped by Ctrl-C; the same command" in out
    assert rows(out)[1] >= 1


@pytest.mark.parametrize("by", ["joblib", "dask"])
def test_scikit_learn_searches_with_the_workers_of(by, tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    if by == "dask":
        pytest.importorskip("distributed", reason="dask is not installed")
    values, trials, early = rows(told(tmp_path, "--by", by, "--trials", 2, "--processes", 2))
    assert (trials, early, len(values)) == (2, 0, 2)


def test_a_cluster_of_dask_that_is_there_searches(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    distributed = pytest.importorskip("distributed", reason="dask is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as own:
        out = told(tmp_path, "--by", "dask", "--scheduler", own.scheduler_address, "--trials", 2)
        with distributed.Client(own) as client:
            worked = client.run(eval, "'rnnlite' in __import__('sys').modules")
    assert rows(out)[1] == 2 and any(worked.values())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--show", "--study", "none.log"), "--show: there is no study 'none.log'"),
        (("--scheduler", "tcp://x:1"), "--scheduler: it is dask's, and --by is optuna"),
        (("--images", 3001), "number from 100 to 3,000"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, says, run_example, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_example("sweep", *arguments)
    shown = capsys.readouterr()
    assert stopped.value.code == 2 and shown.out == "" and says in shown.err
