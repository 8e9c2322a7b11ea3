"""Fuzz a format for as long as you like.

    python -m tests.fuzz_formats model --inputs 100000
    python -m tests.fuzz_formats checkpoint --seconds 3600 --corpus build/corpus
    python -m tests.fuzz_formats idx --again build/fuzz/crash-0123      # one file

With Atheris (pip install -e ".[fuzz]") files that reach new lines are mutated further; without it,
or with --plain, the mutants of a seed are the same on every machine.  A file that crashes, takes
over 5 s or 1 GB is written to build/fuzz, and the exit code is 1.
"""

import argparse
import faulthandler
import hashlib
import importlib.util
import inspect
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

SECONDS, MEGABYTES = 5, 1024
FOLDER = Path("build/fuzz")
READERS = ("rnnlite.saving.", "rnnlite.datasets.", "rnnlite.training.checkpoint", "rnnlite.layers.")


def main():
    """Fuzz, and say what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("format", choices=("model", "checkpoint", "idx", "text"))
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, help="instead of so many inputs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help="without Atheris")
    parser.add_argument("--corpus", help="folder where Atheris keeps what reached new lines")
    parser.add_argument("--again", nargs="+", type=Path, help="judge these files, and stop")
    given = parser.parse_args()
    os.environ["RNNLITE_NUM_THREADS"] = "1"
    os.fsync = lambda descriptor: None  # no file here need outlive a power failure
    FOLDER.mkdir(parents=True, exist_ok=True)
    from . import formats

    with tempfile.TemporaryDirectory() as folder:
        return fuzz(formats, formats.FORMATS[given.format](folder), given)


def fuzz(formats, format, given):
    """By Atheris, or by the plain loop."""
    samples = format.samples()
    if given.again:
        for path in given.again:
            print(path, formats.judged(format, path.read_bytes()))
        return 0
    if importlib.util.find_spec("atheris") and not given.plain:
        return with_atheris(formats, format, samples, given)
    return plain(formats, format, samples, given)


def plain(formats, format, samples, given):
    """Mutants of samples, and of the last mutants that were read."""
    counts, slowest, began, pool = Counter(), 0.0, time.monotonic(), list(samples)
    number = 0
    while time.monotonic() - began < given.seconds if given.seconds else number < given.inputs:
        rng = random.Random(f"{given.seed} {number}")
        content = format.mutant(rng, rng.choice(pool), samples)
        faulthandler.dump_traceback_later(60, exit=True)
        start = time.perf_counter()
        try:
            found = formats.judged(format, content)
        except Exception:
            found = "crashes"
            path = FOLDER / f"crash-{hashlib.sha1(content).hexdigest()[:12]}"
            path.write_bytes(content)
            print(f"{path}\n{traceback.format_exc()}", flush=True)
        seconds = time.perf_counter() - start
        if seconds > SECONDS:
            counts["hangs"] += 1
            (FOLDER / f"slow-{hashlib.sha1(content).hexdigest()[:12]}").write_bytes(content)
        slowest, number = max(slowest, seconds), number + 1
        counts[found] += 1
        if found == "read" and content not in samples:
            pool[len(samples) + number % 50 :][:1] = [content]
            del pool[len(samples) + 50 :]
    faulthandler.cancel_dump_traceback_later()
    peak = megabytes()
    print(
        f"{format.name}: {number:,} inputs in {time.monotonic() - began:.0f} s, "
        f"{counts['read']:,} read, {counts['refused']:,} refused, {counts['crashes']} crashes, "
        f"{counts['hangs']} over {SECONDS} s (slowest {slowest:.2f} s), peak {peak:.0f} MB"
    )
    return int(counts["crashes"] + counts["hangs"] > 0 or peak > MEGABYTES)


def megabytes():
    """The most memory that this process had."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says may be of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def with_atheris(formats, format, samples, given):
    """libFuzzer chooses which files to mutate further, by the lines that they reached."""
    import atheris

    # Not ``instrument_imports``, which changes the equations of cells as well.
    for name, module in list(sys.modules.items()):
        for value in list(vars(module).values()) if name.startswith(READERS) else ():
            inside = list(vars(value).values()) if inspect.isclass(value) else [value]
            for function in inside:
                if inspect.isfunction(function) and function.__module__ == name:
                    atheris.instrument_func(function)
    corpus = Path(given.corpus or FOLDER / f"corpus-{format.name}")
    corpus.mkdir(parents=True, exist_ok=True)
    for n, content in enumerate(samples):
        (corpus / f"sample-{n}").write_bytes(content)

    def mutant(data, most, seed):
        content = format.mutant(random.Random(seed), bytes(data), samples)
        return content if len(content) <= most else content[:most]

    limits = [f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", f"-artifact_prefix={FOLDER}/"]
    length = [f"-max_total_time={given.seconds}"] if given.seconds else [f"-runs={given.inputs}"]
    command = [sys.argv[0], *limits, *length, f"-seed={given.seed + 1}", "-max_len=65536"]
    atheris.Setup(
        [*command, str(corpus)],
        lambda data: formats.judged(format, bytes(data)) and None,
        custom_mutator=mutant,
    )
    atheris.Fuzz()  # ends the process, with figures and an exit code of its own
    return 0


if __name__ == "__main__":
    sys.exit(main())
