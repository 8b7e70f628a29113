"""``dl explain counterfactual``: what would have to change in a row for the model to say something else of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dlcli.classifier import borrowed, probabilities
from dlcli.commands.explain_study import Findings, Scene, refuse_kind
from dlcli.contracts import Column, DataSpec
from dlcli.data.columns import named
from dlcli.data.groups import plain
from dlcli.engine.counterfactual import Counterfactual, nearest_change
from dlcli.errors import UsageError, did_you_mean
from dlcli.metrics.intervals import mean_interval, wilson

# What nobody can change, where a table has it and the user names nothing else.
_FIXED = ("age", "sex", "gender", "race", "ethnicity", "native-country", "nationality", "disability")
_VALUES = 24  # of a number that are tried, spread evenly over those that occur


@dataclass(frozen=True, kw_only=True)
class Counterfactuals:
    """For the rows that the model is surest of, the nearest that it takes for another class, by columns that can be changed.

    See :func:`dlcli.engine.counterfactual.nearest_change`. Values are tried that occur in the split: whole numbers stay whole.

    Args:
        examples: rows that are looked at, the surest first; at least 1.
        goal: the class to reach, by name; None: the first of two.
        chance: of it that is enough, in (0, 1).
        immutable: columns that stay, a list or with commas between; None: age, gender and the like, and
            years that have passed.
        increasing: columns whose numbers can only grow.
        columns: that may change at once, at least 1.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"
    data_kind: ClassVar[str] = "table"

    examples: int = 5
    goal: str | None = None
    chance: float = 0.5
    immutable: str | list[str] | None = None
    increasing: str | list[str] | None = None
    columns: int = 3

    def __post_init__(self) -> None:
        if self.examples < 1 or self.columns < 1:
            raise ValueError(f"examples and columns must be at least 1, got {self.examples} and {self.columns}")
        if not 0 < self.chance < 1:
            raise ValueError(f"chance must be above 0 and below 1, got {self.chance}")

    def __call__(self, scene: Scene) -> Findings:
        """Returns ``explain/counterfactuals``, the share of rows with one, and how many columns it takes.

        Raises:
            UsageError: no table, a class or a column that it has not, or no row of another class than the goal.
        """
        refuse_kind(scene, "counterfactual", "table")
        spec = scene.model.spec
        goal = _goal(spec, self.goal)
        fixed = _named(spec, self.immutable) if self.immutable is not None else _usually_fixed(spec)
        growing = _named(spec, self.increasing)
        everyone = next(iter(scene.subject.split.batches(torch.arange(len(scene.subject.split)), len(scene.subject.split))))
        found: list[_Found] = []
        with borrowed(scene.model), torch.no_grad():

            def ask(rows: Tensor) -> Tensor:
                scene.check()
                return probabilities(scene.model(rows))[:, goal]

            chances = ask(everyone.inputs)
            for place in _surest(chances, self.chance, self.examples, spec.classes[goal]):
                row = everyone.inputs[place]
                options = _options(spec, everyone.inputs, row, fixed=fixed, growing=growing)
                change = nearest_change(ask, row, options, _spans(spec), wanted=self.chance, most=self.columns)
                cells = _changes(spec.columns, row, change.row)
                found.append(_Found(int(everyone.index[place]), float(chances[place]), change, cells))
        reached = [len(one.cells) for one in found if one.change.reached]
        metrics = {"explain/counterfactuals": wilson(len(reached), len(found))}
        metrics |= {"explain/columns_changed": mean_interval(reached)} if reached else {}
        rows = torch.stack([one.change.row for one in found])
        return Findings(
            metrics=metrics,
            arrays={"rows": rows.cpu(), "index": [one.index for one in found]},
            pictures={},
            files={"counterfactuals.csv": _csv(found)},
            words=[*_sentences(found, spec.classes[goal], self.columns), *_limits(fixed)],
            following=(("dl explain columns", "what weighs for everybody"),),
        )


@dataclass(frozen=True)
class _Found:
    """A row's number, the chance of the goal before, what was found, and (column, before, after) where they differ."""

    index: int
    before: float
    change: Counterfactual
    cells: list[tuple[str, str, str]]


def _goal(spec: DataSpec, name: str | None) -> int:
    if name is None and len(spec.classes) != 2:
        reason = f"{spec.name} has {len(spec.classes)} classes; which is to be reached?"
        raise UsageError(reason, hint=f"study.goal={spec.classes[0]}")
    if name is not None and name not in spec.classes:
        near = did_you_mean(name, spec.classes)
        raise UsageError(f"study.goal={name}: {spec.name} has no such class{near}", hint=f"study.goal={spec.classes[0]}")
    return 0 if name is None else spec.classes.index(name)


def _named(spec: DataSpec, asked: str | list[str] | None) -> set[str]:
    """The columns of these names. Raises UsageError for one that is not there."""
    words = asked if isinstance(asked, list) else (asked or "").split(",")
    known = {column.name.casefold(): column.name for column in spec.columns}
    for word in filter(None, words):
        if word.casefold() not in known:
            near = did_you_mean(word, known.values()) or f"; it has {named(list(known.values()))}"
            raise UsageError(f"{word}: {spec.name} has no such column{near}", hint="study.immutable=[NAME,NAME]")
    return {known[word.casefold()] for word in words if word}


def _usually_fixed(spec: DataSpec) -> set[str]:
    """Columns of these names, and years that have passed."""
    return {name for name in (column.name for column in spec.columns) if name.casefold() in _FIXED or "year" in name.casefold()}


def _surest(chances: Tensor, wanted: float, count: int, goal: str) -> Tensor:
    """Rows that are not yet what is wanted, those farthest from it first, int64."""
    short = (chances < wanted).nonzero()[:, 0]
    if not len(short):
        raise UsageError(f"the model takes every row for {goal} already", hint="study.goal=CLASS, or another --split")
    return short[chances[short].argsort(stable=True)][:count]


def _options(spec: DataSpec, rows: Tensor, row: Tensor, *, fixed: set[str], growing: set[str]) -> dict[int, Tensor]:
    """The values that each column may take, by its place."""
    found = {}
    for place, column in enumerate(spec.columns):
        if column.name in fixed:
            continue
        if column.categories:
            found[place] = torch.arange(1, len(column.categories) + 1, device=rows.device, dtype=rows.dtype)
            continue
        values: Tensor = torch.unique(rows[:, place][~rows[:, place].isnan()])
        if len(values) > _VALUES:
            values = values[torch.linspace(0, len(values) - 1, _VALUES, device=rows.device).round().long()]
        found[place] = values[values >= row[place]] if column.name in growing else values
    return found


def _spans(spec: DataSpec) -> list[float | None]:
    return [
        None if column.categories or column.low is None or column.high is None else max(column.high - column.low, 1e-12)
        for column in spec.columns
    ]


def _changes(columns: Sequence[Column], before: Tensor, after: Tensor) -> list[tuple[str, str, str]]:
    found = []
    for column, old, new in zip(columns, before.tolist(), after.tolist(), strict=True):
        if old == old and old != new:  # noqa: PLR0124 - NaN is unlike itself
            found.append((column.name, _value(column, old), _value(column, new)))
    return found


def _value(column: Column, value: float) -> str:
    if not column.categories:
        return plain(round(value, 6))
    return column.categories[int(value) - 1] if value >= 1 else "unknown"


def _sentences(found: Sequence[_Found], goal: str, most: int) -> list[str]:
    lines = []
    for one in found:
        moved = "; ".join(f"{name} {old} → {new}" for name, old, new in one.cells) or "nothing changed"
        chances = f"row {one.index}: {goal} {100 * one.before:.0f} % → {100 * one.change.chance:.0f} %"
        lines.append(f"{chances} with {moved}" if one.change.reached else f"{chances} at best, by {most} columns: {moved}")
    return lines


def _limits(fixed: set[str]) -> list[str]:
    stays = f"{', '.join(sorted(fixed))} stay as they are" if fixed else "every column may change"
    return [
        f"{stays}; nearer changes of several columns may exist",
        "this is what changes the model's answer; whether it would change the person's is another question",
    ]


def _csv(found: Sequence[_Found]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "column", "before", "after", "chance_before", "chance_after", "reached"])
    for one in found:
        ends = [f"{one.before:.6f}", f"{one.change.chance:.6f}", "yes" if one.change.reached else "no"]
        writer.writerows([one.index, *cell, *ends] for cell in one.cells)
    return text.getvalue().encode()
