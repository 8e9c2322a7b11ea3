"""Several processes: the same bits, ends that all decide together, and nobody left waiting.

The programs are in ``mpi_program.py`` and ``mpi_together.py``: one start of ``mpiexec`` runs many.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mpi_program
import mpi_runs
import numpy as np
import pytest
from conftest import needs_jit
from mpi_program import SAME_BITS, checkpointed
from pages import run as run_page
from programs import load

import rnnlite
from rnnlite.distributed.machine import share
from rnnlite.training.cut import own_chunks, subtrees

ROOT = Path(__file__).parents[1]
two_hosts = load(ROOT / "benchmarks" / "two_hosts.py")
SECONDS = 120  # after which a start of mpiexec counts as hanging


def mpiexec():
    """The program that starts processes: that of this Python's wheel, else that of the system."""
    beside = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
    return beside or shutil.which("mpiexec")


missing = [name for name in ("mpi4py",) if importlib.util.find_spec(name) is None]
missing += [] if mpiexec() else ["mpiexec"]
needs_mpi = pytest.mark.skipif(
    bool(missing), reason=f"{' and '.join(missing)} missing: pip install mpi4py mpich"
)


def start(processes, folder, *names, code=0, hosts=None):
    """Run functions of the program in so many processes; what each returned, by process.

    With a ``code`` other than 0 it is to fail; returns what it printed then.
    """
    program = ROOT / "tests" / "mpi_program.py"
    told = [sys.executable, "-m", "mpi4py", str(program), str(folder), *names]
    where = () if hosts is None else ("-host", ",".join(hosts.names))
    command = [mpiexec(), *where, "-n", str(processes), *told]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = os.environ | {"PYTHONPATH": path}
    if hosts is not None:
        command, environment = hosts.on(0, *command), environment | hosts.environment
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if code == 0:
        assert done.returncode == 0, done.stderr + done.stdout
        files = [folder / f"{n}-of-{processes}.json" for n in range(processes)]
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]
    assert done.returncode != 0, done.stderr + done.stdout
    return done.stderr + done.stdout


# ---- the same bits -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process gives, without MPI."""
    folder, results = tmp_path_factory.mktemp("alone"), {}
    for name in SAME_BITS:
        given = (None, folder) if name == "memory_map" else (None,)
        results[name] = json.loads(json.dumps(getattr(mpi_program, name)(*given)))
    return results


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """What two processes say of everything, in one start; before it, one of two was killed."""
    folder = tmp_path_factory.mktemp("two")
    start(2, folder, "killed_one", code=9)
    shutil.copy(folder / "one.npz", folder / "kept.npz")
    names = ("resumed_one", "errors", "unequal", "together", "quiet", "threads", "looked_inside")
    return folder, start(2, folder, *SAME_BITS, *names, "page")


@needs_mpi
@pytest.mark.long
def test_two_processes_give_the_same_bits(alone, of_two):
    for results in of_two[1]:
        assert {name: results[name] for name in SAME_BITS} == alone


@pytest.fixture(scope="module")
def of_two_in_pieces(tmp_path_factory):
    """The same of two that hand over each layer's gradient as soon as it is known."""
    names = ("in_pieces", "early_pieces", "errors", "together")
    return start(2, tmp_path_factory.mktemp("pieces"), *names, *SAME_BITS[:3])


@needs_mpi
@pytest.mark.long
def test_gradients_that_are_sent_while_others_are_computed_give_the_same_bits(
    alone, of_two_in_pieces
):
    names = SAME_BITS[:3]
    for results in of_two_in_pieces:
        assert results["early_pieces"] == 3  # of the layers that have gradients
        assert {name: results[name] for name in names} == {name: alone[name] for name in names}


@pytest.fixture(scope="module", params=[3, 4])
def of_more(request, tmp_path_factory):
    """Names, and what each of three or four processes says of these and of what it received."""
    names = SAME_BITS if request.param == 4 else SAME_BITS[:2]
    folder, way = tmp_path_factory.mktemp("more"), () if request.param == 4 else ("in_pieces",)
    return names, start(request.param, folder, *way, *names, "received")


@needs_mpi
@pytest.mark.long
def test_three_and_four_processes_give_the_same_bits(alone, of_more):
    names, everyone = of_more
    for results in everyone:
        assert {name: results[name] for name in names} == {name: alone[name] for name in names}


@needs_mpi
@pytest.mark.long
def test_each_process_receives_a_slice_of_the_sums_of_others_and_the_slices_they_added(of_more):
    p = len(of_more[1])
    parts = [len(subtrees(*own_chunks(process, p, 8), (0, 8))) for process in range(p)]
    for process, results in enumerate(of_more[1]):
        gradients = (sum(parts) - parts[process]) / p + (p - 1) / p
        assert gradients == 1.5 or p != 4
        assert len(results["received"]) == 3  # from the end of one of four steps to the next
        for received in results["received"]:  # a little more: headers, figures, padding
            assert gradients < received < 1.1 * gradients


@needs_mpi
@pytest.mark.long
def test_after_one_process_was_killed_two_go_on_or_one(of_two, tmp_path):
    callbacks = [mpi_program.Kill([])]
    whole = checkpointed(None, tmp_path / "whole.npz", callbacks=callbacks)
    assert [results["resumed_one"] for results in of_two[1]] == [whole] * 2
    assert checkpointed(None, of_two[0] / "kept.npz", callbacks=callbacks) == whole


@needs_mpi
@pytest.mark.long
def test_after_all_of_four_were_killed_one_goes_on(tmp_path):
    start(4, tmp_path, "killed_all", code=9)
    callbacks = [mpi_program.Kill([])]
    whole = checkpointed(None, tmp_path / "whole.npz", callbacks=callbacks)
    assert checkpointed(None, tmp_path / "all.npz", callbacks=callbacks) == whole


@needs_mpi
@pytest.mark.long
def test_two_hosts_give_the_same_bits_through_the_link_between_them(alone, tmp_path):
    if reason := two_hosts.problem():
        pytest.skip(reason)
    names = SAME_BITS[:1]
    with two_hosts.two_hosts("1gbit") as hosts:
        everyone = start(2, tmp_path, *names, "machine", hosts=hosts)
        sent = hosts.sent()
    for host, results in zip(hosts.names, everyone, strict=True):
        machine = {"machine": [host, 0]}  # the first process of its machine
        assert results == {name: alone[name] for name in names} | machine
    steps = 3 * 4  # of everything_random: in each, all gradients are sent
    assert min(sent) > steps * mpi_runs.random_model().flat_params.nbytes


# ---- together ------------------------------------------------------------------------------


@needs_mpi
@pytest.mark.long
@pytest.mark.parametrize("way", ["of_two", "of_two_in_pieces"])
def test_what_one_process_raises_ends_all_with_its_message(way, request):
    of_two = request.getfixturevalue(way)
    first, second = (results["errors"] for results in (of_two if "in" in way else of_two[1]))
    wanted = {
        "argument": "ValueError: fit: batch_size is 0; it must be at least 1",
        "labels": "ValueError: fit: y has labels from 0 to 9",
        "augment": "OSError: augment has failed",
        "loss": "OSError: loss has failed",
        "schedule": "OSError: schedule has failed",
        "callback": "OSError: callback has failed",
        "end": "OSError: the disk is full",
        "second ctrl-c": "KeyboardInterrupt",
        "adding": "FloatingPointError: overflow",
        "backward": "OSError: the way back has failed",
    }
    for name, text in wanted.items():
        assert second[name].startswith(text)
        assert first[name].startswith(f"ProcessFailed: fit: process 1 of 2 ended with {text}")
    assert first["first"] == "OSError: the disk is full"
    assert second["first"] == f"ProcessFailed: fit: process 0 of 2 ended with {first['first']}"
    assert first["none"] == second["none"] == "nothing"


@needs_mpi
@pytest.mark.long
def test_what_is_not_the_same_in_all_processes_is_named(of_two):
    wanted = {
        "version": "rnnlite is 0.1.0 in process 0 and 0.0.9 in process 1",
        "architecture": "process 1 has another model: layer 0: hidden_size is 8 .* 9",
        "weights": "weights .give each layer a seed, .* in process 0 and .* in process 1",
        "dropout": "seeds of dropout",
        "recipe": "clip_norm of fit is 2.0 in process 0 and 1.0 in process 1",
        "chunks": "chunks of fit is 8 in process 0 and 16 in process 1",
        "rows": "rows of fit is 75 in process 0 and 74 in process 1",
        "numbers": "data of fit is fingerprint",
        "optimizer": "'lr': 0.1, .* in process 0 and .*'lr': 0.2",
        "schedule": "process 1 and process 0 took different steps 3",
        "changed": "after step 2 process 1 has other weights than process 0",
        "stream": "process 1 and process 0 took different steps 1",
        "batches": "process 0 is at the gradients of a step, process 1 at a record",
        "processes": "chunks is 1 and there are 2 processes",
        "answers": "predict: weights",
        "communicator": "comm is 'world'; wanted a communicator of mpi4py",
    }
    for results in of_two[1]:
        assert set(results["unequal"]) == set(wanted)
        for name, pattern in wanted.items():
            assert re.search(pattern, results["unequal"][name]), results["unequal"][name]


@needs_mpi
@pytest.mark.long
def test_one_process_stops_all_and_numbers_that_are_not_finite_are_told_alike(of_two):
    first, second = (results["together"] for results in of_two[1])
    assert first == second
    assert first["Stop"] == ["enough", 5] and first["Interrupt"] == ["interrupt", 5]
    assert "step 1 (epoch 1): x holds inf in row 19, time 0, feature 0" in first["data"]
    assert first["diverged"].startswith("TrainingDiverged: fit: step ")


@needs_mpi
@pytest.mark.long
def test_only_the_first_process_prints_and_writes_files(of_two):
    lines, *files = of_two[1][0]["quiet"]
    assert lines >= 2 and files == [True, True]
    assert of_two[1][1]["quiet"] == [0, False, False]


@needs_mpi
@pytest.mark.long
def test_the_processors_of_a_machine_are_divided_among_its_processes(of_two):
    for inside, processors, after in (results["threads"] for results in of_two[1]):
        told = any(map(os.environ.get, rnnlite.engine.processors.VARIABLES))
        assert inside == (after if told else max(1, processors // 2))


def test_a_process_that_is_bound_to_processors_has_them_to_itself():
    of_eight = frozenset(range(8))
    assert share(of_eight, [of_eight] * 2, np.inf) == 4
    assert share(of_eight, [of_eight] * 3, np.inf) == 2
    assert share(of_eight, [of_eight] * 20, np.inf) == 1
    assert share({0, 1}, [{0, 1}, {2, 3}], np.inf) == 2
    assert share(of_eight, [of_eight] * 2, 3.0) == 1
    assert share({0, 1, 2}, [{0, 1, 2}, frozenset()], np.inf) == 3  # one was told how many


@needs_mpi
@needs_jit
@pytest.mark.long
def test_one_process_of_a_machine_compiles_and_the_others_find_what_it_has_made(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("RNNLITE_CACHE", str(tmp_path / "empty"))
    first, *others = (results["compiled"] for results in start(4, tmp_path, "compiled"))
    assert first > 10 and others == [0, 0, 0]
    assert [results["compiled"] for results in start(2, tmp_path, "compiled")] == [0, 0]


@needs_mpi
@pytest.mark.long
def test_the_gradient_check_the_trace_and_the_page_work_on_a_model_trained_so(of_two):
    for results in of_two[1]:
        assert results["looked_inside"] == [True, [3, 4, 8], True, True]


@needs_mpi
@pytest.mark.long
def test_an_error_outside_of_fit_ends_all_too(tmp_path):
    assert "OSError: no such data" in start(2, tmp_path, "dies", code=1)


# ---- as people run it ----------------------------------------------------------------------


@needs_mpi
@pytest.mark.long
def test_the_example_runs_in_two_processes_and_prints_once():
    example = str(ROOT / "examples" / "mnist_lstm.py")
    options = ("--steps", "30", "--hidden", "16", "--lr", "0.02", "--shift", "0")
    program = (sys.executable, "-m", "mpi4py", example, "--data", "bundled", *options)
    done = subprocess.run(
        [mpiexec(), "-n", "2", *program],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, *_, accuracy, _ = lines = done.stdout.splitlines()
    assert first.endswith("30 steps of 128 images; 2 processes") and len(lines) == 5
    assert float(accuracy.split()[-1]) > 0.4
    assert [line.count("step 30: loss") for line in done.stderr.splitlines()].count(1) == 1


@needs_mpi
@pytest.mark.long
def test_the_blocks_of_the_page_run_in_two_processes(of_two):
    blocks = len(run_page(mpi_program.PAGE))
    assert [results["page"] for results in of_two[1]] == [blocks] * 2
