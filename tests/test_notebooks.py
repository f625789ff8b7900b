"""Every notebook: thin, without outputs, right by hand as well as under the runner."""

import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest

from nbtools import alerting, lookback
from nbtools.parameters import MODELS
from nbtools.settings import PROJECT, Settings

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def test_every_notebook_has_a_model() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(MODELS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_thin_and_has_no_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.cells[0].source.startswith("# ")
    assert "**Question.**" in notebook.cells[0].source
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
    for cell in cells:
        assert len(cell.source.splitlines()) <= 12, cell.id
        for word in ("def ", "class ", "SELECT ", "lambda ", "now(", "today("):
            assert word not in cell.source, cell.id


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_parameters_cell_is_typed_and_commented(path: Path) -> None:
    for name, found in papermill.inspect_notebook(path).items():
        assert found["help"], name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_by_papermill_alone(
    path: Path, loaded_copy: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "out.ipynb"
    given = ["-p", "date", "2023-01-20"]
    if path.stem == "incident":  # its key is that of an incident on record
        lookback.look_back(loaded_copy)
        given += ["-p", "key", alerting.told(loaded_copy)[0].group.key]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", str(path), str(out), *given],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    text = nbformat.writes(nbformat.read(out, as_version=4))
    assert "2023-01-20" in text
    assert "Traceback" not in text
