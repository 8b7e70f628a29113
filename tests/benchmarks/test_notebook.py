"""The notebook of the lesson on MNIST: what is in the file, and that it runs."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.notebook import CELLS, GOAL


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    return json.loads(GOAL.read_text())["cells"]


def test_the_file_is_what_the_script_makes(cells: list[dict[str, Any]]) -> None:
    assert ["".join(cell["source"]) for cell in cells] == list(CELLS)
    assert [cell["cell_type"] for cell in cells[:2]] == ["markdown", "code"]


def test_it_was_executed_and_is_small_and_names_no_place_of_a_machine(cells: list[dict[str, Any]]) -> None:
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    pictures = [output for cell in code for output in cell["outputs"] if "image/png" in output.get("data", {})]
    assert len(pictures) == 4
    assert GOAL.stat().st_size < 600_000
    assert str(Path.home()) not in GOAL.read_text()
    assert not [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]


@pytest.mark.full
@pytest.mark.skipif(importlib.util.find_spec("nbclient") is None, reason="needs the dependency group notebook")
def test_it_runs(cells: list[dict[str, Any]]) -> None:
    from benchmarks.notebook import made

    again = made().cells
    assert [len(cell.get("outputs", [])) for cell in again] == [len(cell.get("outputs", [])) for cell in cells]
    first = again[3]["outputs"][0]["text"].split()
    assert first[0] == "test/accuracy"
    assert float(first[1]) > 0.98
