"""What an attack did to the rows of a table, in the table's own units."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import torch
from torch import Tensor, nn

from dlcli.classifier import predicted_classes
from dlcli.commands.attack_columns import Moves
from dlcli.commands.attack_figures import Attacked, norms
from dlcli.contracts import DataSpec
from dlcli.data.memory import MemorySplit
from dlcli.engine.evaluate import evaluate, joined
from dlcli.engine.perturb import AttackReport
from dlcli.report.text import cell

SHOWN_ROWS, SHOWN_COLUMNS = 5, 4


def settled(attacked: Attacked, moves: Moves, model: nn.Module, *, batch_size: int) -> Attacked:
    """Returns what was found with the cells that stay put back, and what ``model`` says once whole numbers are whole again."""
    free = moves.free[:, None, None].cpu()

    def put_back(report: AttackReport) -> AttackReport:
        moved = torch.where(free, report.adversarial, report.inputs)
        return replace(report, adversarial=moved)

    report = put_back(attacked.report)
    split = MemorySplit(with_whole_numbers(adversarial_rows(report, moves), moves), moves.targets)
    said = predicted_classes(joined(evaluate(model, split, batch_size=batch_size)).logits)
    return replace(attacked, report=report, noise=put_back(attacked.noise), rounded=said, rounding="whole")


def adversarial_rows(report: AttackReport, moves: Moves) -> Tensor:
    """Returns the attacked rows as the model reads them, float32 (N, D)."""
    return moves.rebuilt(report.adversarial.to(moves.rows.device))


def with_whole_numbers(rows: Tensor, moves: Moves) -> Tensor:
    """Returns rows (N, D) whose moved columns are rounded where ``moves`` holds whole numbers only; cells that stay stay."""
    cells, after = moves.rows[:, moves.places], rows[:, moves.places]
    whole = ((cells == cells.round()) | cells.isnan()).all(dim=0)
    return rows.index_copy(1, moves.places, torch.where(whole & moves.free, after.round(), after))


def changes_csv(report: AttackReport, moves: Moves, spec: DataSpec) -> bytes:
    """Returns a line for every cell that changed where the verdict flipped: before, after, and as a share of train's range."""
    before, after = (rows[:, moves.places].cpu() for rows in (moves.rows, adversarial_rows(report, moves)))
    share = (after - before) / moves.span.cpu()
    changed = ((after != before) & moves.free.cpu() & report.success[:, None]).nonzero().tolist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "column", "before", "after", "share"])
    for row, column in changed:
        name = cell(spec.columns[int(moves.places[column])].name)
        values = (before[row, column], after[row, column], share[row, column])
        writer.writerow([int(report.index[row]), name, *(f"{float(value):.6g}" for value in values)])
    return text.getvalue().encode()


def change_lines(report: AttackReport, moves: Moves, spec: DataSpec) -> list[str]:
    """Returns for the five verdicts that the smallest changes flipped what changed and by how much, the largest share first."""
    rows = report.success.nonzero().flatten()
    rows = rows[norms(report)["l2"][rows].argsort(stable=True)][:SHOWN_ROWS]
    before, after = (cells[:, moves.places].cpu() for cells in (moves.rows, adversarial_rows(report, moves)))
    lines = []
    for row in rows.tolist():
        share = (report.adversarial - report.inputs)[row].flatten().abs()
        order = [column for column in share.argsort(descending=True, stable=True).tolist() if share[column] > 0]
        parts = []
        for column in order[:SHOWN_COLUMNS]:
            old, new = float(before[row, column]), float(after[row, column])
            name = spec.columns[int(moves.places[column])].name
            parts.append(f"{name} {_written(old)} → {_written(new)} ({_written(new - old, 4, sign='+')})")
        if len(order) > SHOWN_COLUMNS:
            parts.append(f"and {len(order) - SHOWN_COLUMNS} more")
        flip = f"{spec.classes[int(report.clean[row])]} → {spec.classes[int(report.attacked[row])]}"
        lines.append(f"row {int(report.index[row])}: {flip}: {', '.join(parts)}")
    return lines


def _written(value: float, digits: int = 5, *, sign: str = "") -> str:
    """Returns a number to so many digits, and all of those before the point: who reads a salary expects no exponent."""
    text = f"{value:{sign}.{digits}g}"
    return f"{value:{sign}.0f}" if "e+" in text else text
