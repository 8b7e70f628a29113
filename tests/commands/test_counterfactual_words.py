"""What is said of changes."""

from __future__ import annotations

import json
import math

import torch

from dlcli.commands.counterfactual_words import Found, changes, counterfactuals_csv, counterfactuals_json, sentences
from dlcli.contracts import Column
from dlcli.engine.counterfactual import Counterfactual

COLUMNS = (Column(name="Pay"), Column(name="Over", categories=("No", "Yes")), Column(name="Age"))
CELLS = [("Pay", "2090", "3400.5"), ("Over", "Yes", "No")]


def found(*, chance: float, reached: bool, cells: list[tuple[str, str, str]] = CELLS) -> Found:
    return Found(7, 0.29, Counterfactual(torch.zeros(3), chance, reached), cells)


def test_cells_are_said_in_the_tables_words_and_what_is_not_known_did_not_change() -> None:
    before = torch.tensor([2090.0, 2.0, math.nan])
    after = torch.tensor([3400.5, 1.0, math.nan])
    assert changes(COLUMNS, before, after) == CELLS
    assert changes(COLUMNS, torch.tensor([1.0, 0.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) == [("Over", "unknown", "Yes")]


def test_a_sentence_says_what_changes_and_what_that_does() -> None:
    lines = sentences(
        [
            found(chance=0.62, reached=True),
            found(chance=0.4, reached=False),
            found(chance=0.29, reached=False, cells=[]),
            found(chance=0.29, reached=True, cells=[]),
        ],
        "stays",
        2,
    )
    assert lines == [
        "row 7: Pay 2090 → 3400.5; Over Yes → No: stays 29 % → 62 %",
        "row 7: none found within 2 columns; nearest: Pay 2090 → 3400.5; Over Yes → No: stays 29 % → 40 %",
        "row 7: none found within 2 columns, stays stays at 29 %",
        "row 7: stays 29 % as it stands",
    ]


def test_files_hold_every_changed_cell_and_every_row() -> None:
    both = [found(chance=0.62, reached=True), found(chance=0.29, reached=False, cells=[])]
    assert counterfactuals_csv(both).decode().splitlines()[1:] == [
        "7,Pay,2090,3400.5,0.290000,0.620000,yes",
        "7,Over,Yes,No,0.290000,0.620000,yes",
    ]
    content = json.loads(counterfactuals_json(both, goal="stays", chance=0.5, fixed=["Age"]))
    assert content["immutable"] == ["Age"]
    assert [len(item["changes"]) for item in content["items"]] == [2, 0]
