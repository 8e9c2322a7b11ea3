"""The folder of kernels is missing, damaged or shared: that costs time and nothing else."""

import pytest
from fresh_process import ONE_STEP, finish, one_step, run, start

DOUBLE = """
import json
import numpy as np
from rnnlite.kernels import jit

def double(a):
    for i in range(a.size):
        a[i] *= 2.0

kernel, a = jit.kernel(double), np.ones(3)
kernel(a)
print(json.dumps([*a.tolist(), sum(kernel.stats.cache_hits.values())]))
"""


@pytest.mark.long
def test_a_folder_that_cannot_be_made_costs_a_line_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = tmp_path / "file" / "cache"
    result, lines = run(DOUBLE, cache=cache)
    assert result == [2.0, 2.0, 2.0, 0]
    assert len(lines) == 1 and "cannot keep compiled kernels" in lines[0] and str(cache) in lines[0]


@pytest.mark.long
def test_a_folder_that_becomes_a_file_half_way_is_no_error(tmp_path):
    taken = """
import pathlib, shutil
shutil.rmtree(jit.kernel_folder())
pathlib.Path(jit.kernel_folder()).write_text("in the way")
kernel(a)
"""
    script = DOUBLE.replace("kernel(a)\n", taken)
    result, lines = run(script, cache=tmp_path)
    assert result == [2.0, 2.0, 2.0, 0]
    assert lines and all(line.startswith("rnnlite: ") for line in lines)


# ---- damaged kernels -------------------------------------------------------------------------

# The files of a small kernel are damaged in every way of a list.  A kernel made anew then finds
# them as the next process would; it must give the right result, and leave whole files behind.
DAMAGE = """
import json, logging, random, sys
import numpy as np
from rnnlite.kernels import jit

logging.disable(logging.CRITICAL)
noise = random.Random(0)
ways = {
    "none": lambda content: content,
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "one byte less": lambda content: content[:-1],
    "text": lambda content: b"garbage",
    "zeros": lambda content: bytes(len(content)),
    "noise": lambda content: noise.randbytes(len(content)),
    "that of another": lambda content: b"\\x80\\x04K\\x01.",  # a pickle, of the number 1
    # As a machine that lost its power leaves behind: pages of zeros.
    "a hole early": lambda content: content[:500] + bytes(500) + content[1000:],
    "a hole late": lambda content: content[:-900] + bytes(500) + content[-400:],
} | {f"{n} bytes of noise": lambda content, n=n: noise.randbytes(n) for n in range(1, 17)}

def double(a):
    for i in range(a.size):
        a[i] *= 2.0

def use():
    kernel, a = jit.kernel(double), np.ones(3)
    kernel(a)
    assert a.tolist() == [2.0, 2.0, 2.0], "wrong result"
    return sum(kernel.stats.cache_hits.values())

use()
failed, found = {}, {}
for way, damage in ways.items():
    files = sorted(jit.kernel_folder().glob("*.kernel"))
    whole = {path: path.read_bytes() for path in files}
    for path, content in whole.items():
        path.write_bytes(damage(content))
    try:
        found[way] = use()
        assert use() == 1, "not saved again"
    except Exception as error:
        failed[way] = repr(error)
        for path, content in whole.items():
            path.write_bytes(content)
print(json.dumps({"failed": failed, "files": len(files), "found": found}))
"""


@pytest.mark.long  # NO_KERNEL of test_kernel_folder.py has one of each kind
def test_damaged_files_are_compiled_again(tmp_path):
    result, _ = run(DAMAGE, cache=tmp_path)
    assert result["files"] == 1
    assert result["failed"] == {}
    assert result["found"].pop("none") == 1 and set(result["found"].values()) == {0}


@pytest.mark.by_hand
@pytest.mark.long
def test_every_file_cut_short_costs_time_and_nothing_else(tmp_path):
    run(ONE_STEP, cache=tmp_path)
    files = list(tmp_path.rglob("*.kernel"))
    assert files
    for path in files:
        path.write_bytes(path.read_bytes()[:100])
    result, lines = run(ONE_STEP, cache=tmp_path)
    assert result["h"] == pytest.approx(one_step(), rel=1e-5) and result["compiled"] > 0
    assert lines and all(line.startswith("rnnlite: ") for line in lines)
    assert run(ONE_STEP, cache=tmp_path) == ({"h": result["h"], "compiled": 0}, [])


# ---- two processes at once ---------------------------------------------------------------------

# Each process is held until both have compiled their kernel, then both keep it.
MEETING = """
import json, sys, time
from pathlib import Path
import numpy as np
from rnnlite.kernels import jit

me, other, folder = *sys.argv[1:3], Path(sys.argv[3])
save = jit._KernelCache.save_overload
met = []

def hold(cache, sig, data):
    (folder / f"{me} {len(met)}").touch()
    end, coming = time.monotonic() + 30.0, folder / f"{other} {len(met)}"
    while not coming.exists() and time.monotonic() < end:
        time.sleep(0.005)
    met.append(coming.exists())
    save(cache, sig, data)

jit._KernelCache.save_overload = hold
"""
# Two kernels that differ in their identity alone, as the time loops of two cells do.
TIMES = """
def make(name):
    factor = {"five": 5.0, "two": 2.0, "three": 3.0}[name]
    @jit.kernel(identity=name)
    def times(a):
        for i in range(a.size):
            a[i] *= factor
    return times

a = np.ones(1)
make("five")(a)
make(me)(a)
print(json.dumps([*a.tolist(), *met]))
"""


@pytest.mark.long
def test_two_processes_that_compile_at_once_on_an_empty_folder_both_succeed(tmp_path):
    """First the same kernel, then different ones, which are not swapped."""
    cache, folder = tmp_path / "cache", tmp_path / "meeting"
    folder.mkdir()
    processes = [
        start(MEETING + TIMES, me, other, folder, cache=cache)
        for me, other in (("two", "three"), ("three", "two"))
    ]
    held = [finish(process)[0] for process in processes]
    # The place to hold them is still there: for the first kernel and the second.
    assert held == [[10.0, True, True], [15.0, True, True]]
    imports = "import json\nimport numpy as np\nfrom rnnlite.kernels import jit\n"
    both = TIMES.replace("make(me)(a)", "make('two')(a)\nmet = a.tolist()\nmake('three')(a)")
    assert run(imports + both, cache=cache) == ([30.0, 10.0], [])
