"""Every vector width that a processor may have gives the numbers of the reference."""

import pytest
from fresh_process import run, start

from rnnlite.cache_folder import cache_folder
from rnnlite.kernels import target

AGAINST_REFERENCE = """
import itertools, json
import numpy as np
from rnnlite import functional, reference
from rnnlite.kernels import target

rng, worst, cases = np.random.default_rng(0), {}, 0
cells = {"lstm": 4, "rnn": 1, "gru": 3}
sizes = [(1, 1, 1), (13, 1, 1), (3, 7, 5), (13, 7, 16), (1, 33, 3), (3, 33, 40), (13, 33, 7)]
for (name, gates), (B, H, I), padded in itertools.product(cells.items(), sizes, (False, True)):
    T, K = 5, gates * H
    shapes = {"x": (B, T, I), "Wx": (I, K), "Wh": (H, K), "b": (K,), "h0": (B, H)}
    shapes |= {"c0": (B, H)} if name == "lstm" else {"bh": (K,)} if name == "gru" else {}
    exact = {key: rng.normal(0.0, 0.5, shape).astype(np.float32).astype(np.float64)
             for key, shape in shapes.items()}
    exact["lengths"] = rng.integers(1, T + 1, B) if padded else None
    up = {key: rng.normal(size=(B, H)).astype(np.float32).astype(np.float64)
          for key in (("dhT", "dcT") if name == "lstm" else ("dhT",))}
    dh = rng.normal(size=(B, T, H)).astype(np.float32).astype(np.float64)

    def results(module, dtype):
        cast = lambda a: a if a is None or a.dtype.kind == "i" else a.astype(dtype)
        arrays = {key: cast(a) for key, a in exact.items()}
        h, state, cache = getattr(module, f"{name}_forward")(**arrays)
        g = getattr(module, f"{name}_backward")(
            cast(dh), cache, **{key: cast(a) for key, a in up.items()}
        )
        states = state if isinstance(state, tuple) else (state,)
        return {"h": h, **{f"state {s}": a for s, a in enumerate(states)}, **g._asdict()}

    expected = results(reference, np.float64)
    for dtype in ("float32", "float64"):
        got = results(functional, dtype)
        assert got.keys() == expected.keys()
        for key, array in got.items():
            assert array.dtype == dtype and array.shape == expected[key].shape, key
            scale = max(np.abs(expected[key]).max(), 0.1)
            error = float(np.max(np.abs(array - expected[key])) / scale)
            place = f"{name} {dtype}"
            worst[place] = float(np.fmax(worst.get(place, 0.0), np.nan_to_num(error, nan=np.inf)))
            cases += 1
print(json.dumps({"target": target.CHOSEN.name, "worst": worst, "cases": cases}))
"""
# The widest: each takes a minute to compile.  The others are for a person's patience
# (``-m by_hand``), who may run any other test with a width as well: ``RNNLITE_SIMD=sse2``.
WIDTHS = [
    "avx512", *(pytest.param(name, marks=pytest.mark.by_hand) for name in ("avx2", "sse2", "neon"))
]  # fmt: skip


@pytest.mark.long  # the width of this machine is what all other tests run with
@pytest.mark.parametrize("name", WIDTHS)
def test_every_vector_width_agrees_with_the_reference(tmp_path, name):
    """The width of this machine finds kernels of other test files, if they ran before."""
    cache = cache_folder() if name == target.CHOSEN.name else tmp_path
    result, _ = run(AGAINST_REFERENCE, cache=cache, RNNLITE_SIMD=name)
    assert result["target"] == name and result["cases"] > 500
    assert len(result["worst"]) == 6
    for place, error in result["worst"].items():
        assert error < (4e-6 if "float32" in place else 1e-14), place


def test_an_unknown_vector_width_is_a_clear_error(tmp_path):
    process = start("import rnnlite", cache=tmp_path, RNNLITE_SIMD="mmx")
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert err.splitlines()[-1] == (
        "ValueError: RNNLITE_SIMD is 'mmx'; it can be one of avx512, avx512bf16, avx2, neon, sse2"
    )
