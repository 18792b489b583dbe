"""The notebook in docs/: kept without outputs, and every cell of it runs, in a kernel of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import PROJECT, World, read_csv

NOTEBOOK = PROJECT / "docs" / "notebook.ipynb"
DAY = "2024-10-27"


def test_no_outputs_are_kept() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_every_cell_runs(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs the developers' libraries")
    nbclient = pytest.importorskip("nbclient", reason="needs the developers' libraries")
    pytest.importorskip("ipykernel", reason="needs the developers' libraries")
    world.run(DAY, DAY)
    monkeypatch.setenv("STORE_URL", world.overrides["STORE_URL"])
    # Streamlit, in tests of pages, sets it for good, and a notebook then shows no pictures.
    monkeypatch.delenv("MPLBACKEND", raising=False)
    # Nothing of the user's own Jupyter: the kernel is the one of this Python.
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=60, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.execute()
    ran = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in ran] == list(range(1, len(ran) + 1))
    shown = [output for cell in ran for output in cell.outputs]
    assert {output.output_type for output in shown} <= {"execute_result", "display_data", "stream"}
    assert not [output for output in shown if output.get("name") == "stderr"]
    assert "'synthetic'" in _text(shown[0])
    assert any(_text(output) == f"{DAY} 6000 samples\n" for output in shown)
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert any("image/svg+xml" in output.get("data", {}) for output in shown)
    discharged = sum(
        float(row["discharge_mwh"]) for row in read_csv(world.output / DAY / "average_power.csv")
    )
    assert any(f"{discharged:.4f}"[:-1] in _text(output) for output in shown)


def _text(output: Any) -> str:
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))
