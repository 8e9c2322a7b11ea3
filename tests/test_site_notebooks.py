"""The lessons as notebooks: they open, run, and print what the page shows."""

from pathlib import Path

import pytest
from pages import blocks, different, needs, python_blocks

LESSONS = Path(__file__).parent.parent / "docs" / "lessons"


@pytest.mark.parametrize("number", "1247")
def test_a_lesson_opens_as_a_notebook(number):
    needs("jupytext")
    import jupytext

    (lesson,) = LESSONS.glob(f"{number}_*.md")
    cells = jupytext.read(lesson).cells
    programs = [cell.source for cell in cells if cell.cell_type == "code"]
    assert programs == [block.rstrip("\n") for _, block in python_blocks(lesson)]
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith(f"# {number}. ")


@pytest.mark.long
@pytest.mark.parametrize("number", "1247")
def test_a_lesson_runs_as_a_notebook_and_prints_what_it_shows(number, tmp_path, monkeypatch):
    for module in ("jupytext", "nbclient", "ipykernel"):
        needs(module)
    import jupytext
    from nbclient import NotebookClient

    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    (lesson,) = LESSONS.glob(f"{number}_*.md")
    notebook = jupytext.read(lesson)
    resources = {"metadata": {"path": str(tmp_path)}}  # where it draws into
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for block, cell in zip(blocks(lesson), cells, strict=True):
        printed = [out.text for out in cell.outputs if out.get("name") == "stdout"]
        difference = different(block.output or "", "".join(printed), block.within)
        assert not difference, f"{lesson.name}:{block.line}: {difference}"
    assert any("image/png" in out.get("data", ()) for cell in cells for out in cell.outputs)
