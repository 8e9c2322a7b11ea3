"""How many threads there are at first: variables, a container's quota, joblib's workers."""

import math
import multiprocessing
import os
import subprocess
import sys

import pytest

from rnnlite.engine import processors

ASK = "import rnnlite; print(rnnlite.get_num_threads())"


@pytest.fixture
def no_variables(monkeypatch):
    for name in processors.VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"OMP_NUM_THREADS": "5,2"}, 5),
        ({"NUMBA_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"RNNLITE_NUM_THREADS": "7", "NUMBA_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 7),
        ({"RNNLITE_NUM_THREADS": "", "NUMBA_NUM_THREADS": "", "OMP_NUM_THREADS": "5"}, 5),
        ({"NUMBA_NUM_THREADS": "many", "OMP_NUM_THREADS": "0"}, None),
    ],
)
def test_variables_say_how_many_and_ours_is_asked_first(
    no_variables, monkeypatch, variables, threads
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert processors.default_threads() == (threads or processors.processors())


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "²"])
def test_a_number_of_threads_that_is_none_is_a_clear_error(monkeypatch, value):
    monkeypatch.setenv("RNNLITE_NUM_THREADS", value)
    with pytest.raises(ValueError, match=f"RNNLITE_NUM_THREADS is '{value}'; wanted a whole"):
        processors.default_threads()


def test_a_variable_of_the_environment_reaches_the_threads():
    environment = {**os.environ, "RNNLITE_NUM_THREADS": "6"}
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "6\n"


def groups(folder, lines, files):
    """A control group's files and the list of a process's groups."""
    for name, content in files.items():
        path = folder / "mounted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    (folder / "groups").write_text("".join(f"{line}\n" for line in lines))
    return processors.quota(folder / "mounted", folder / "groups")


V1 = "cpu/docker/a/cpu.cfs_{}_us"
QUOTAS = {
    "in a container": (["0::/"], {"cpu.max": "150000 100000"}, 1.5),
    "unlimited": (["0::/"], {"cpu.max": "max 100000"}, math.inf),
    "a service": (["0::/a/b"], {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 0.5),
    "the strictest": (["0::/a/b"], {"a/b/cpu.max": "2 1", "a/cpu.max": "5 1"}, 2.0),
    "no neighbour's": (["0::/a/b"], {"a/b/cpu.max": "2 1", "a/c/cpu.max": "1 1"}, 2.0),
    "version 1": (
        ["5:memory:/m", "4:cpu:/docker/a", "0::/"],
        {V1.format("quota"): "300000", V1.format("period"): "100000"}, 3.0,
    ),
    "version 1, unlimited": (
        ["4:cpu:/docker/a"], {V1.format("quota"): "-1", V1.format("period"): "100000"}, math.inf,
    ),
    "version 1, seen from inside": (
        ["4:cpu,cpuacct:/docker/a"],
        {"cpu,cpuacct/cpu.cfs_quota_us": "20", "cpu,cpuacct/cpu.cfs_period_us": "10"}, 2.0,
    ),
    "not its own controller": (["4:cpuacct:/a"], {"cpu/a/cpu.max": "1 1"}, math.inf),
    "nonsense": (["0::/"], {"cpu.max": "some"}, math.inf),
    "a period of 0": (["0::/"], {"cpu.max": "1 0"}, math.inf),
}  # fmt: skip


@pytest.mark.parametrize("case", QUOTAS)
def test_a_quota_is_found_wherever_linux_writes_it(tmp_path, case):
    lines, files, right = QUOTAS[case]
    assert groups(tmp_path, lines, files) == right


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert processors.quota(tmp_path, tmp_path / "missing") == math.inf


@pytest.mark.parametrize(("quota", "right"), [(math.inf, 8), (1.5, 2), (0.2, 1), (100.0, 8)])
def test_processors_are_those_of_the_binding_and_of_the_quota(
    no_variables, monkeypatch, quota, right
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(processors, "quota", lambda: quota)
    assert processors.default_threads() == right


def test_a_worker_of_joblib_s_multiprocessing_computes_with_one_thread(no_variables, monkeypatch):
    """Its workers are daemons; in a worker of loky, joblib has set OMP_NUM_THREADS."""
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    assert processors.default_threads() == 1
    monkeypatch.setenv("RNNLITE_NUM_THREADS", "4")
    assert processors.default_threads() == 4


JOBLIB = """
import joblib
from rnnlite import get_num_threads
if __name__ == "__main__":
    for backend in ("loky", "multiprocessing"):
        tasks = [joblib.delayed(get_num_threads)() for _ in range(2)]
        print(*joblib.Parallel(n_jobs=joblib.cpu_count(), backend=backend)(tasks))
"""


@pytest.mark.long
def test_joblib_s_workers_have_a_thread_each(no_variables, tmp_path):
    pytest.importorskip("joblib", reason="joblib is not installed")
    script = tmp_path / "asks.py"
    script.write_text(JOBLIB)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["1", "1", "1", "1"], done.stderr
