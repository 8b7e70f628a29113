"""What an attack did to a table, in its own units."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcli.commands.attack_columns import Moves
from dlcli.commands.attack_figures import Attacked
from dlcli.commands.attack_tables import adversarial_rows, change_lines, changes_csv, settled, with_whole_numbers
from dlcli.contracts import Column, DataSpec
from dlcli.data.attrition import Attrition
from dlcli.data.memory import MemorySplit
from dlcli.engine.perturb import AttackReport

Dl = Callable[..., Any]
SPEC = DataSpec(
    name="staff",
    shape=(3,),
    classes=("stays", "leaves"),
    mean=(0.0,) * 3,
    std=(1.0,) * 3,
    kind="table",
    epsilon={},
    columns=(
        Column(name="Age", low=20.0, high=60.0),
        Column(name="Gender", categories=("f", "m")),
        Column(name="Pay", low=0.0, high=10.0),
    ),
)
ROWS = torch.tensor([[30.0, 1.0, 2.5], [40.0, 2.0, torch.nan]])
MOVES = Moves.of(MemorySplit(ROWS, torch.tensor([0, 0])), SPEC, (0, 2))


class Older(nn.Module):
    """Leaves above 40.2 years."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows[:, :1] - 40.2


def report() -> AttackReport:
    """The first gets four years and a tenth of a pay more; the second 0.4 years, and a change where there is no cell."""
    moved = MOVES.presented + torch.tensor([[0.1, 0.01], [0.01, 0.2]])[:, None, None]
    zeros = torch.zeros(2, dtype=torch.long)
    attacked, sizes = torch.tensor([0, 1]), torch.tensor([0.1, 0.2])
    return AttackReport(MOVES.presented, moved, zeros, zeros, attacked, sizes, torch.arange(2), forwards=0, backwards=0)


def test_columns_of_whole_numbers_are_rounded_and_others_are_not() -> None:
    rounded = with_whole_numbers(adversarial_rows(report(), MOVES), MOVES)
    torch.testing.assert_close(rounded, torch.tensor([[34.0, 1.0, 2.6], [40.0, 2.0, torch.nan]]), equal_nan=True)


def test_cells_that_stay_are_put_back_and_whole_numbers_are_asked_again() -> None:
    found = settled(Attacked(report(), report()), MOVES, Older(), batch_size=2)
    assert found.report.adversarial[1, 0, 0].tolist() == pytest.approx([0.51, 0.5])
    assert found.rounding == "whole"
    assert found.rounded is not None
    assert found.rounded.tolist() == [0, 0]  # 40.4 years are 40 again
    assert found.report.attacked.tolist() == [0, 1]


def test_a_line_for_each_cell_that_changed_where_the_verdict_flipped() -> None:
    (line,) = csv.DictReader(io.StringIO(changes_csv(report(), MOVES, SPEC).decode()))
    assert (line["index"], line["column"]) == ("1", "Age")
    assert [float(line[name]) for name in ("before", "after", "share")] == pytest.approx([40.0, 40.4, 0.01], abs=1e-5)


def test_the_words_say_what_changed_and_by_how_much() -> None:
    found = settled(Attacked(report(), report()), MOVES, Older(), batch_size=2).report
    assert change_lines(found, MOVES, SPEC) == ["row 1: stays → leaves: Age 40 → 40.4 (+0.4)"]


def test_large_numbers_are_written_out() -> None:
    spec = replace(SPEC, columns=(Column(name="Pay", low=0.0, high=200_000.0), *SPEC.columns[1:]))
    rows = torch.tensor([[119_900.0, 1.0, 2.5]])
    moves = Moves.of(MemorySplit(rows, torch.tensor([0])), spec, (0,))
    zero, one = torch.tensor([0]), torch.tensor([1])
    moved = moves.presented - 0.0125
    found = AttackReport(moves.presented, moved, zero, zero, one, torch.tensor([0.0125]), zero, forwards=0, backwards=0)
    assert change_lines(found, moves, spec) == ["row 0: stays → leaves: Pay 119900 → 117400 (-2500)"]


def run(dl: Dl, *typed: str) -> tuple[dict[str, Any], Path, str]:
    answer = dl("attack", *typed, "--json")
    assert answer.code == 0, answer.err
    result = json.loads(answer.out)
    (folder,) = Path(answer.err.split("attack run: ")[1].splitlines()[0]).parent.glob(result["id"])
    return result, folder, answer.err


@pytest.mark.usefixtures("attrition")
def test_the_rows_that_flip_a_verdict_stay_in_trains_ranges_and_change_what_may_change(dl: Dl) -> None:
    result, folder, said = run(dl, "pgd", "attack.epsilon=0.9", "--immutable", "Age,monthlyincome")
    assert result["metrics"]["attack/success_rate"]["value"] > 0
    bundle = Attrition(test_share=0.5).load()
    assert bundle.test is not None
    columns = bundle.spec.columns
    with np.load(folder / "adversarial.npz", allow_pickle=False) as archive:
        after = torch.from_numpy(archive["adversarial"])
    before = next(iter(bundle.test.batches(torch.arange(len(bundle.test)), len(bundle.test)))).inputs
    fixed = [place for place, column in enumerate(columns) if column.categories or column.name in {"Age", "MonthlyIncome"}]
    assert after[:, fixed].equal(before[:, fixed])
    moved = (after != before).any(dim=0)
    assert moved.sum() > 5
    for place in moved.nonzero().flatten().tolist():
        low, high = columns[place].low, columns[place].high
        assert low is not None
        assert high is not None
        change = after[:, place] - before[:, place]
        assert float(change.abs().max()) <= 0.9 * (high - low) * (1 + 1e-5)
        changed = after[:, place][change != 0]
        assert low <= float(changed.min()) <= float(changed.max()) <= high
    assert "may move" in said
    assert "row " in said
    assert set(result["files"]) == {"examples", "changes", "adversarial"}


@pytest.mark.usefixtures("attrition")
def test_the_figures_do_not_depend_on_the_batch_size(dl: Dl) -> None:
    whole, parts = (run(dl, "pgd", "--batch-size", size)[0]["metrics"] for size in ("1000", "97"))
    assert whole["attack/robust_accuracy"] == parts["attack/robust_accuracy"]
    assert whole["attack/success_rate_whole"] == parts["attack/success_rate_whole"]


@pytest.mark.usefixtures("attrition")
def test_a_column_that_is_not_there_is_refused_before_there_is_a_run(dl: Dl, tmp_path: Path) -> None:
    answer = dl("attack", "pgd", "--immutable", "Agee", "--quiet")
    assert answer.code == 2
    assert "did you mean 'Age'" in answer.err
    assert not (tmp_path / "runs" / "attack").exists()


@pytest.mark.usefixtures("attrition")
def test_a_table_cannot_be_turned(dl: Dl) -> None:
    answer = dl("attack", "spatial", "--quiet")
    assert answer.code == 2
    assert "attrition is a table" in answer.err


def test_images_have_no_columns(dl: Dl) -> None:
    answer = dl("attack", "fgsm", "--run", "builtin:mnist", "--immutable", "Age", "--quiet")
    assert answer.code == 2
    assert "--immutable names columns, and mnist holds images" in answer.err
