"""examples/from_torch.py: the same answers on both sides, and a page."""

import re
import sys

import pytest


@pytest.mark.parametrize("library", ["PyTorch", "none"])
def test_the_network_goes_over_and_is_opened(run_example, monkeypatch, tmp_path, library):
    if library == "none":
        monkeypatch.setitem(sys.modules, "torch", None)
    else:
        pytest.importorskip("torch", reason="the example without it is the other test")
    page = tmp_path / "page.html"
    said = run_example("from_torch", "--steps", 2, "--hidden", 4, "--save", page)
    assert ("rnnlite trains in its place" in said) == (library == "none")
    model = r"6 arrays, from lstm\.weight_ih_l0: Sequential\(\[LSTM\(28, 4\), Dense\(4, 10\)\]\)"
    assert re.search(model, said), said
    (difference,) = re.findall(r"1,000 answers: (\S+)", said)
    assert float(difference) < 1e-5
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
