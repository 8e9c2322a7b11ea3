"""Plant small realistic faults in a copy of the package, one at a time: do the tests notice?

    python scripts/plant_faults.py --files rnnlite/saving --count 40
    python scripts/plant_faults.py --files rnnlite/optim/adam.py --list     # what there could be
    python scripts/plant_faults.py --count 200 --seed 3                     # the whole package
    python scripts/plant_faults.py --again                                  # survivors, once more

Which faults there are, says faults.py.  For each, the tests of that file run (TESTS below) until
one fails, then the file is as it was, and the test that failed must pass.  A fault costs seconds,
one that survives as long as its tests take.
Kernels and cells run without the JIT, which would compile for minutes.

Every result is a line of JSON in --out, and is not tried again; so a run can be broken off and gone
on with.  A survivor is a test that is missing, or a fault that changes nothing: the list is to be
read.  The copy is a folder of its own; the sources are never touched.  Use `nice`.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import chain
from pathlib import Path

from faults import ROOT, chosen

COPIED = ("rnnlite", "tests", "examples", "benchmarks", "scripts", "docs", "pyproject.toml")
COPIED += ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")

# The tests of a file: words are tests/test_WORD.py, the ones most likely to notice first.  Of all
# beginnings of its path, the longest counts.  The doctests of the file itself run as well.
SAVING = "saving_into saving_models saving_own_layers saving_cells saving_architecture"
TESTS = {
    "rnnlite/cache_folder.py": "kernel_* datasets_download",
    "rnnlite/cells/": "recurrent_options functional* custom_cells*",
    "rnnlite/cells/cell.py": "engine custom_cells* saving_cells kernel_identity kernel_cache",
    "rnnlite/cells/functions.py": "custom_cells* functional* kernels*",
    "rnnlite/checking.py": "checking functional_refusals layers_refusals losses optimizers_refusals"
    " initializers datasets_tasks padding lengths_of_zero layers_parameters fuzz_numbers"
    " datasets_text saving_architecture",
    "rnnlite/custom.py": "custom_cells* saving_cells kernel_identity kernel_cache",
    "rnnlite/datasets/": "datasets_tasks datasets_papers datasets_criteria datasets_counting"
    " datasets_reber augment",
    "rnnlite/datasets/idx.py": "datasets_idx datasets_mnist_5k",
    "rnnlite/datasets/images.py": "datasets_mnist datasets_mnist_5k datasets_fashion"
    " datasets_download",
    "rnnlite/datasets/series.py": "datasets_series",
    "rnnlite/datasets/text.py": "datasets_text",
    "rnnlite/datasets/vocabulary.py": "datasets_text",
    "rnnlite/engine/": "engine functional* layers_recurrent recurrent_options boundaries*"
    " custom_cells* layers_memory lengths_of_zero threads threads_callers",
    "rnnlite/engine/door.py": "engine boundaries*",
    "rnnlite/engine/equation_results.py": "custom_cells*",
    "rnnlite/engine/memory.py": "kernels* layers_sequential",
    "rnnlite/engine/one_row.py": "one_row",
    "rnnlite/engine/plain.py": "custom_cells* gradcheck",
    "rnnlite/engine/processors.py": "processors threads threads_callers",
    "rnnlite/engine/threads.py": "threads threads_* processors layers_threads",
    "rnnlite/engine/weight_gradients.py": "bfloat16* engine layers_dense",
    "rnnlite/functional/": "functional*",
    "rnnlite/gradcheck/": "gradcheck gradcheck_[!n]*",
    "rnnlite/inside/": "inside_measures inside_plots inside_film",
    "rnnlite/inside/canvas.py": "inside_plots",
    "rnnlite/inside/described.py": "inside_explain",
    "rnnlite/inside/explain.py": "inside_explain",
    "rnnlite/inside/film.py": "inside_film",
    "rnnlite/inside/page_data.py": "inside_explain house",
    "rnnlite/inside/recording.py": "inside_measures inside_trace",
    "rnnlite/inside/text_page.py": "inside_plots",
    "rnnlite/inside/trace.py": "inside_measures inside_trace inside_torch",
    "rnnlite/initializers.py": "initializers",
    "rnnlite/kernels/": "functional* recurrent_options kernels* custom_cells*",
    "rnnlite/kernels/activations.py": "kernels_activations functional* layers_activation loss_*",
    "rnnlite/kernels/adam.py": "adam optimizers_steps",
    "rnnlite/kernels/affine.py": "augment",
    "rnnlite/kernels/dense.py": "layers_dense layers_sequential layers_activation table",
    "rnnlite/kernels/embedding.py": "embedding* table",
    "rnnlite/kernels/fingerprint.py": "kernel_identity kernel_cache custom_cells*",
    "rnnlite/kernels/freeze.py": "custom_cells* saving_cells kernel_identity kernel_cache",
    "rnnlite/kernels/gradients.py": "engine functional* layers_dense custom_cells*",
    "rnnlite/kernels/jit.py": "kernels* kernel_*",
    "rnnlite/kernels/layer_norm.py": "layers_activation table",
    "rnnlite/kernels/losses.py": "losses loss_* what_counts*",
    "rnnlite/kernels/meeting.py": "one_row",
    "rnnlite/kernels/normal.py": "layers_activation table",
    "rnnlite/kernels/one_row.py": "one_row",
    "rnnlite/kernels/operands.py": "bfloat16* engine layers_dense",
    "rnnlite/kernels/pairs.py": "bfloat16*",
    "rnnlite/kernels/packing.py": "kernels* engine functional* custom_cells*",
    "rnnlite/kernels/product.py": "kernels* functional*",
    "rnnlite/kernels/target.py": "kernels* vector_widths",
    "rnnlite/kernels/tile.py": "kernels* functional*",
    "rnnlite/kernels/transpose.py": "kernels* functional*",
    "rnnlite/kernels/parallel.py": "threads threads_callers kernel_cache",
    "rnnlite/kernels/sgd.py": "optimizers_steps clipping",
    "rnnlite/kernels/simd/": "kernels* functional* losses",
    "rnnlite/kernels/simd/bfloat16.py": "bfloat16*",
    "rnnlite/layers/": "layers_forward_backward layers_parameters layers_copies layers_refusals"
    " layers_sequential layers_recurrent layers_own embedding* dropout* flatten layers_dense"
    " layers_activation recurrent_options lengths_of_zero layers_threads boundaries*"
    " saving_architecture saving_own_layers",
    "rnnlite/layers/activation.py": "layers_activation table boundaries* saving_architecture",
    "rnnlite/layers/bidirectional.py": "recurrent_options table boundaries* layers_parameters"
    " layers_threads saving_architecture",
    "rnnlite/layers/dense.py": "layers_dense layers_activation layers_sequential table"
    " layers_parameters layers_refusals boundaries* saving_architecture",
    "rnnlite/layers/dropout.py": "dropout* table boundaries*",
    "rnnlite/layers/embedding.py": "embedding* table boundaries*",
    "rnnlite/layers/flatten.py": "flatten table layers_sequential",
    "rnnlite/layers/layer_norm.py": "layers_activation table boundaries*",
    "rnnlite/layers/turns.py": "layers_threads layers_copies layers_own table",
    "rnnlite/losses/": "losses loss_* what_counts* table",
    "rnnlite/optim/": "optimizers_refusals optimizers_state optimizers_steps adam checkpoint*",
    "rnnlite/optim/clipping.py": "clipping",
    "rnnlite/optim/schedules.py": "schedules",
    "rnnlite/padding.py": "padding",
    "rnnlite/reference/": "reference_numbers reference_gradients reference_refusals"
    " reference_options reference_sequences reference_dense_loss_adam layers_activation",
    "rnnlite/saving/": f"{SAVING} saving_files saving_damaged saving_forged",
    "rnnlite/saving/architecture.py": f"saving_architecture {SAVING}",
    "rnnlite/saving/atomic.py": "saving_faults saving_atomic saving_disks",
    "rnnlite/saving/cells_in_files.py": "saving_cells saving_models saving_into",
    "rnnlite/saving/container.py": "saving_files saving_damaged saving_forged saving_models",
    "rnnlite/saving/header.py": "saving_files saving_damaged saving_forged saving_models",
    "rnnlite/training/": "fit* evaluation checkpoint* divergence clipping schedules loss_*",
    "rnnlite/training/batches.py": "evaluation lists_of_sequences fit* what_counts*"
    " checkpoint* divergence",
    "rnnlite/training/callbacks.py": "fit* checkpoint*",
    "rnnlite/training/checkpoint": "checkpoint* fit_weights what_counts*",
    "rnnlite/training/confusion.py": "evaluation",
    "rnnlite/training/counters.py": "what_counts* fit* checkpoint*",
    "rnnlite/training/divergence.py": "divergence fit*",
    "rnnlite/training/evaluation.py": "evaluation lists_of_sequences what_counts* fit*",
    "rnnlite/training/fit.py": "what_counts* lists_of_sequences fit* divergence"
    " checkpoint* evaluation",
    "rnnlite/training/history.py": "fit* evaluation",
    "rnnlite/training/interrupt.py": "fit* checkpoint*",
    "rnnlite/training/objective.py": "what_counts* evaluation loss_* fit*",
    "rnnlite/training/plots.py": "evaluation fit* inside_film",
    "rnnlite/training/progress.py": "fit*",
    "rnnlite/training/run.py": "fit* what_counts* divergence clipping schedules checkpoint*",
    "rnnlite/training/weights.py": "fit_weights what_counts*",
}
LIMIT = 1800  # seconds after which tests hang
WITHOUT_JIT = ("rnnlite/kernels/", "rnnlite/cells/")
COMPILED = "jit meeting one_row parallel product tile simd/vector simd/functions simd/memory"
WITH_JIT = tuple(f"rnnlite/kernels/{name}.py" for name in COMPILED.split())
WITH_JIT += ("rnnlite/kernels/simd/bfloat16.py", "rnnlite/cells/functions.py")


class Workshop:
    """A copy of the package with its tests, in which faults are planted."""

    def __init__(self, folder, words=None):
        self.folder, self.words, self.passed = Path(folder), words, set()
        hidden = shutil.ignore_patterns("__pycache__", ".*")
        for name in COPIED:
            source, target = ROOT / name, self.folder / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=hidden)
            elif source.exists():
                shutil.copyfile(source, target)

    def files(self, path):
        """The test files of a file of the package, and the file itself for its doctests."""
        words = self.words or TESTS[max((p for p in TESTS if path.startswith(p)), key=len)]
        tests = self.folder / "tests"
        found = {word: sorted(tests.glob(f"test_{word}.py")) for word in words.split()}
        if missing := [word for word, files in found.items() if not files]:
            raise SystemExit(f"plant_faults: TESTS names {', '.join(missing)}: not there")
        return [*(f"tests/{file.name}" for file in chain(*found.values())), path]

    def run(self, path, tests):
        """Exit code of tests for a file, None if they took too long; and their output."""
        plain = path.startswith(WITHOUT_JIT) and path not in WITH_JIT
        environment = os.environ | {
            "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_DISABLE_JIT": "1" if plain else "0",
        }  # fmt: skip
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no"]
        command += ["-p", "no:cacheprovider", *tests]
        with subprocess.Popen(
            command, cwd=self.folder, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            try:
                output, _ = process.communicate(timeout=LIMIT)
                return process.returncode, output
            except subprocess.TimeoutExpired:
                return None, "took too long"
            finally:
                if hasattr(os, "killpg"):  # what the tests started, too
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, 9)
                process.kill()

    def must_pass(self, path, test):
        """It does without the fault, or what it notices means nothing."""
        if test not in self.passed:
            code, output = self.run(path, [test])
            if code != 0:
                raise SystemExit(f"plant_faults: without a fault {test} fails:\n{output}")
            self.passed.add(test)

    def survives(self, fault):
        """None, or what noticed the fault."""
        tests, file = self.files(fault.path), self.folder / fault.path
        source = file.read_text(encoding="utf-8")
        file.write_text(fault.planted(source), encoding="utf-8")
        try:
            code, output = self.run(fault.path, tests)
        finally:
            file.write_text(source, encoding="utf-8")
        if code == 0:
            return None
        said = [line for line in output.splitlines() if line.startswith(("FAILED", "ERROR"))]
        test = said[0].partition(" ")[2].partition(" - ")[0] if said else None
        if test and "::" in test:  # nothing that cannot even be imported
            self.must_pass(fault.path, test)
        return said[0][:200] if said else output.strip()[-200:] or f"exit code {code}"


def package_files(names):
    """Python files of the package that these files and folders name, as paths from the root."""
    found = []
    for name in names:
        path = (ROOT / name).resolve()
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    relative = [path.relative_to(ROOT).as_posix() for path in found]
    known = [p for p in relative if any(p.startswith(start) for start in TESTS)]
    if not known:
        raise SystemExit(f"plant_faults: no file of {', '.join(names)} has tests in TESTS")
    return known


def report(results):
    """Figures, and the survivors."""
    survivors = [result for result in results if result["noticed"] is None]
    kinds = Counter(result["kind"] for result in results)
    left = Counter(result["kind"] for result in survivors)
    print(f"\n{len(results)} faults, {len(results) - len(survivors)} noticed", end="")
    print(f" ({1 - len(survivors) / max(1, len(results)):.1%}), {len(survivors)} survived")
    for kind in sorted(kinds):
        print(f"  {kind:<20} {kinds[kind]:4d}, survived {left[kind]}")
    for result in survivors:
        print(f"survived: {result['fault']}")


def main():
    """Plant, run, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--files", nargs="+", default=["rnnlite"], help="files or folders of rnnlite/"
    )
    parser.add_argument("--count", type=int, help="how many faults; all there are if not given")
    parser.add_argument("--seed", type=int, default=0, help="of the choice (0)")
    parser.add_argument("--tests", help="words as in TESTS, instead of those of the table")
    parser.add_argument("--out", type=Path, default=Path("build/faults.jsonl"), help="results")
    parser.add_argument("--list", action="store_true", help="say what would be planted, and stop")
    parser.add_argument("--report", action="store_true", help="figures of --out, and stop")
    parser.add_argument("--again", action="store_true", help="try the survivors of --out again")
    given = parser.parse_args()
    lines = given.out.read_text(encoding="utf-8").splitlines() if given.out.exists() else []
    done = {result["key"]: result for result in map(json.loads, lines)}
    if given.report:
        return report(list(done.values()))
    faults = chosen(package_files(given.files), None if given.again else given.count, given.seed)
    if given.again:
        faults = [f for f in faults if f.key in done and done[f.key]["noticed"] is None]
    if given.list:
        return print(*faults, sep="\n")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, given.out.open("a", encoding="utf-8") as out:
        workshop = Workshop(folder, given.tests)
        for number, fault in enumerate(faults, 1):
            if fault.key in done and not given.again:
                continue
            began = time.monotonic()
            noticed = workshop.survives(fault)
            seconds = round(time.monotonic() - began, 1)
            result = {"key": fault.key, "fault": str(fault), "kind": fault.kind}
            done[fault.key] = result | {"noticed": noticed, "seconds": seconds}
            out.write(json.dumps(done[fault.key]) + "\n")
            out.flush()
            word = "SURVIVED" if noticed is None else "noticed "
            print(f"{number:4d} of {len(faults)}, {seconds:5.1f} s: {word} {fault}", flush=True)
    report([done[fault.key] for fault in faults])


if __name__ == "__main__":
    main()
