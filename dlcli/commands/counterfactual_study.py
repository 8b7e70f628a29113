"""``dl explain counterfactual``: what would have to change in a row for the model to say something else of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dlcli.classifier import borrowed, probabilities
from dlcli.commands.counterfactual_words import Found, changes, counterfactuals_csv, counterfactuals_json, sentences
from dlcli.commands.explain_study import Findings, Scene, refuse_kind
from dlcli.contracts import DataSpec
from dlcli.data.columns import named
from dlcli.engine.counterfactual import Counterfactual, nearest_change
from dlcli.errors import UsageError, did_you_mean
from dlcli.metrics.intervals import mean_interval, wilson

# What nobody can change, or nobody else may ask for, where a table has it and the user names nothing; letters alone count.
_PERSON = ("age", "sex", "gender", "race", "ethnicity", "nativecountry", "nationality", "disability")
_PRIVATE = ("maritalstatus", "relationship", "religion")
_PAST = ("numcompaniesworked", "performancerating")
_VALUES = 24  # of a number that are tried, spread evenly over those that occur


@dataclass(frozen=True, kw_only=True)
class Counterfactuals:
    """For the rows that the model is surest of, the nearest that it takes for another class, by columns that can be changed.

    See :func:`dlcli.engine.counterfactual.nearest_change`. Values are tried that occur in the split: whole numbers stay whole.

    Args:
        examples: rows that are looked at, the surest first; at least 1.
        rows: their numbers in the split in place of that, such as those that ``dl explain integrated_gradients`` names.
        goal: the class to reach, by name; None: the first of two.
        chance: of it that is enough, in (0, 1).
        immutable: columns that stay, a list or with commas between; None: age, gender, marital status and the like, and what
            has passed.
        increasing: columns whose numbers can only grow.
        columns: that may change at once, at least 1.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"
    data_kind: ClassVar[str] = "table"

    examples: int = 5
    rows: int | list[int] | None = None
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

    def check(self, scene: Scene) -> None:
        """Raises what calling it raises of names, before anything is looked for."""
        refuse_kind(scene, "counterfactual", "table")
        spec = scene.model.spec
        _goal(spec, self.goal)
        _named(spec, self.immutable, "immutable")
        _named(spec, self.increasing, "increasing")
        wrong = [row for row in self._rows if not 0 <= row < len(scene.subject.split)]
        if wrong:
            last = len(scene.subject.split) - 1
            raise UsageError(f"study.rows: there is no row {wrong[0]}; expected 0 to {last}", hint=f"study.rows=[0,{last}]")

    def __call__(self, scene: Scene) -> Findings:
        """Returns ``explain/counterfactuals``, the share of rows with one, and how many columns it takes.

        Raises:
            UsageError: no table, a class, a column or a row that it has not, or no row of another class than the goal.
        """
        self.check(scene)
        spec = scene.model.spec
        goal = _goal(spec, self.goal)
        fixed = _usually_fixed(spec) if self.immutable is None else _named(spec, self.immutable, "immutable")
        growing = _named(spec, self.increasing, "increasing")
        everyone = next(iter(scene.subject.split.batches(torch.arange(len(scene.subject.split)), len(scene.subject.split))))
        found: list[Found] = []
        with borrowed(scene.model), torch.no_grad():

            def ask(rows: Tensor) -> Tensor:
                scene.check()
                return probabilities(scene.model(rows))[:, goal]

            chances = ask(everyone.inputs)
            for place in self._rows or _surest(chances, self.chance, self.examples, spec.classes[goal]):
                row, before = everyone.inputs[place], float(chances[place])
                change = Counterfactual(row, before, True)
                if before < self.chance:
                    options = _options(spec, everyone.inputs, row, fixed=fixed, growing=growing)
                    change = nearest_change(ask, row, options, _spans(spec), wanted=self.chance, most=self.columns)
                found.append(Found(int(everyone.index[place]), before, change, changes(spec.columns, row, change.row)))
        sought = [one for one in found if one.before < self.chance]
        reached = [len(one.cells) for one in sought if one.change.reached]
        metrics = {"explain/counterfactuals": wilson(len(reached), len(sought))}
        metrics |= {"explain/columns_changed": mean_interval(reached)} if reached else {}
        name = spec.classes[goal]
        return Findings(
            metrics=metrics,
            arrays={"rows": torch.stack([one.change.row for one in found]).cpu(), "index": [one.index for one in found]},
            pictures={},
            files={
                "counterfactuals.csv": counterfactuals_csv(found),
                "items.json": counterfactuals_json(found, goal=name, chance=self.chance, fixed=sorted(fixed)),
            },
            words=[*sentences(found, name, self.columns), *_limits(fixed)],
            following=(("dl explain columns", "what weighs for everybody"),),
        )

    @property
    def _rows(self) -> list[int]:
        return [self.rows] if isinstance(self.rows, int) else self.rows or []


def _goal(spec: DataSpec, name: str | None) -> int:
    if name is None and len(spec.classes) != 2:
        reason = f"{spec.name} has {len(spec.classes)} classes; which is to be reached?"
        raise UsageError(reason, hint=f"study.goal={spec.classes[0]}")
    if name is not None and name not in spec.classes:
        near = did_you_mean(name, spec.classes)
        raise UsageError(f"study.goal={name}: {spec.name} has no such class{near}", hint=f"study.goal={spec.classes[0]}")
    return 0 if name is None else spec.classes.index(name)


def _named(spec: DataSpec, asked: str | list[str] | None, key: str) -> set[str]:
    """The columns of these names. Raises UsageError for one that is not there."""
    words = [word.strip() for word in (asked if isinstance(asked, list) else (asked or "").split(","))]
    known = {column.name.casefold(): column.name for column in spec.columns}
    for word in filter(None, words):
        if word.casefold() not in known:
            near = did_you_mean(word, known.values()) or f"; it has {named(list(known.values()))}"
            raise UsageError(
                f"{word}: {spec.name} has no such column{near}",
                hint="--immutable NAME,NAME" if key == "immutable" else f"study.{key}=[NAME,NAME]",
            )
    return {known[word.casefold()] for word in words if word}


def _usually_fixed(spec: DataSpec) -> set[str]:
    """Columns of these names, and years that have passed."""
    letters = {column.name: "".join(filter(str.isalpha, column.name.casefold())) for column in spec.columns}
    return {name for name, plain in letters.items() if plain in {*_PERSON, *_PRIVATE, *_PAST} or "year" in plain}


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


def _limits(fixed: set[str]) -> list[str]:
    stays = f"{', '.join(sorted(fixed))} stay as they are" if fixed else "every column may change"
    return [
        f"{stays}; nearer changes of several columns may exist",
        "this is what changes the model's answer; whether it would change the person's is another question",
    ]
