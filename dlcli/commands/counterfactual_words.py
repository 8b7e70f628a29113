"""What ``dl explain counterfactual`` says and writes of the changes that it found."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from dlcli.contracts import Column
from dlcli.data.groups import plain
from dlcli.engine.counterfactual import Counterfactual


@dataclass(frozen=True)
class Found:
    """What was found for a row.

    Args:
        index: its number in the split.
        before: chance of the goal as the row stands.
        cells: (column, before, after) where they differ, in the words of the table.
    """

    index: int
    before: float
    change: Counterfactual
    cells: Sequence[tuple[str, str, str]]


def changes(columns: Sequence[Column], before: Tensor, after: Tensor) -> list[tuple[str, str, str]]:
    """Returns (column, before, after) where two rows (D,) differ; what is not known differs from nothing."""
    found = []
    for place, column in enumerate(columns):
        old, new = float(before[place]), float(after[place])
        if not bool(before[place].isnan()) and old != new:
            found.append((column.name, _value(column, old), _value(column, new)))
    return found


def sentences(found: Sequence[Found], goal: str, most: int) -> list[str]:
    """Returns a line for each row.

    Args:
        most: columns that were allowed to change.
    """
    return [f"row {one.index}: {_said(one, goal, most)}" for one in found]


def _said(one: Found, goal: str, most: int) -> str:
    moved = "; ".join(f"{name} {old} → {new}" for name, old, new in one.cells)
    before, after = (f"{100 * chance:.0f} %" for chance in (one.before, one.change.chance))
    if one.change.reached:
        return f"{moved}: {goal} {before} → {after}" if moved else f"{goal} {before} as it stands"
    what = "column" if most == 1 else "columns"
    nearest = f"; nearest: {moved}: {goal} {before} → {after}" if moved else f", {goal} stays at {before}"
    return f"none found within {most} {what}{nearest}"


def counterfactuals_csv(found: Sequence[Found]) -> bytes:
    """Returns a line for each changed cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "column", "before", "after", "chance_before", "chance_after", "reached"])
    for one in found:
        ends = [f"{one.before:.6f}", f"{one.change.chance:.6f}", "yes" if one.change.reached else "no"]
        writer.writerows([one.index, *cell, *ends] for cell in one.cells)
    return text.getvalue().encode()


def counterfactuals_json(found: Sequence[Found], *, goal: str, chance: float, fixed: Sequence[str]) -> bytes:
    """Returns an item for each row, also for those that nothing was found for.

    Args:
        goal, chance: the class, and the chance of it that was asked for.
        fixed: columns that stay.
    """
    items = [
        {
            "index": one.index,
            "reached": one.change.reached,
            "chance_before": round(one.before, 6),
            "chance_after": round(one.change.chance, 6),
            "changes": [{"column": name, "before": old, "after": new} for name, old, new in one.cells],
        }
        for one in found
    ]
    content = {"goal": goal, "chance": chance, "immutable": list(fixed), "items": items}
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def _value(column: Column, value: float) -> str:
    if not column.categories:
        return plain(round(value, 6))
    return column.categories[int(value) - 1] if value >= 1 else "unknown"
