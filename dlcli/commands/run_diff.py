"""``dl runs diff A B``: what was done differently, and what that did to the figures. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dlcli.config.stored import read_stored
from dlcli.errors import ConfigError, DataError, UsageError
from dlcli.metrics.difference import Difference, difference_interval
from dlcli.report.text import shorten
from dlcli.runs.compare import Change, changed, circumstances, data_digest
from dlcli.runs.figures import is_whole, lower_is_better, main_name, shown, shown_interval
from dlcli.runs.find import RunInfo
from dlcli.runs.run import read_config

# What cannot change a figure: names and logging, and workers, since all draws are keyed.
_WITHOUT_EFFECT = ("name", "run", "start_from", "workers", "trainer.log_every", "trainer.save_every", "trainer.watch")
_NAMED = 4


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Args:
        changes: what was done differently.
        figures: the figures that both have: name → (first entry, second entry, their difference).
        conclusion: what follows, a sentence; then remarks on how far it holds.
    """

    first: RunInfo
    second: RunInfo
    changes: tuple[Change, ...]
    figures: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any], Difference | None]]
    conclusion: tuple[str, ...]

    def items(self) -> list[dict[str, Any]]:
        """Returns plain data: a "run" each, a "change" each, a "metric" each, and the "conclusion"."""
        found: list[dict[str, Any]] = [
            {"kind": "run", "id": run.id, "verb": run.verb, "name": run.name, "state": run.state}
            for run in (self.first, self.second)
        ]
        found += [{"kind": "change", **change.to_dict()} for change in self.changes]
        for name, (one, other, difference) in self.figures.items():
            change = difference.to_dict() if difference is not None else None
            found.append({"kind": "metric", "name": name, "first": one, "second": other, "difference": change})
        return [*found, *({"kind": "conclusion", "text": text} for text in self.conclusion)]


def compare(first: RunInfo, second: RunInfo) -> Comparison:
    """Compares two runs. Raises UsageError where they are the same one, DataError where one cannot be read."""
    for run in (first, second):
        if run.state == "broken":
            raise DataError(f"{run.path} is not a readable run: {run.problem}", hint="dl runs shows what is there")
    if first.path.resolve() == second.path.resolve():
        raise UsageError(f"both words name the run {first.id}", hint="dl runs shows the ids of others")
    one, other = (flat(stored_config(run)) for run in (first, second))
    config = [replace(change, matters=change.key not in _WITHOUT_EFFECT) for change in changed("config", one, other)]
    changes = (*config, *circumstances(first, second))
    figures = {}
    if first.result is not None and second.result is not None:
        theirs = second.result.metrics
        for name, entry in first.result.metrics.items():
            if name in theirs:
                figures[name] = (entry, theirs[name], difference_interval(entry, theirs[name]))
    return Comparison(first, second, changes, figures, _conclusion(first, second, changes, figures))


def stored_config(run: RunInfo) -> dict[str, Any]:
    """Returns the configuration that a run keeps. Raises DataError, StorageError."""
    try:
        return read_stored(read_config(run.path), source=str(run.path / "config.yaml"))
    except ConfigError as error:
        raise DataError(error.message) from error


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns dotted key → value; ``_target_`` stands for its node, so that another class is one change."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if key == "_target_":
            path = prefix
        if isinstance(value, Mapping) and value:
            found |= flat(value, path)
        else:
            found[path] = value
    return found


def spelled(value: Any) -> str:
    """Returns a setting's value in few words: of a class its own name."""
    text = "–" if value is None else str(value)
    return shorten(text.rpartition(".")[2] if text.startswith(("dlcli.", "torch.")) else text, 40)


def _conclusion(first: RunInfo, second: RunInfo, changes: Sequence[Change], figures: Mapping[str, Any]) -> tuple[str, ...]:
    real = [change for change in changes if change.matters]
    for run in (first, second):
        if run.result is None:
            return (f"{_causes(real)}; run {run.id} is {run.state}, so there are no figures to compare",)
    name = main_name(figures) or next(filter(is_whole, figures), None)
    if name is None:
        return (f"{_causes(real)}; the two runs have no figure in common",)
    entry, other, difference = figures[name]
    if difference is None:
        return (f"{_causes(real)}; {name} has no value in one of them",)
    if not real and all(one == two for one, two, _ in figures.values()):
        return ("same config, data, code and machine, and the same figures",)
    remarks = _remarks(first, real, entry, other, difference)
    return (f"{_causes(real)}: {_effect(name, entry, other, difference)}", *remarks)


def _causes(changes: Sequence[Change]) -> str:
    """What was done differently, as the beginning of a sentence."""
    if not changes:
        return "nothing that is recorded differs"
    if [change.key for change in changes] == ["seed"]:
        return f"same config, data and code but for the seed ({changes[0].first} → {changes[0].second})"
    if len(changes) == 1:
        return f"only {_named(changes[0])} differs"
    # Below a node of another class, its own settings differ as a matter of course.
    nodes = [change.key for change in changes if change.part == "config"]
    tops = [
        change for change in changes if change.part != "config" or not any(change.key.startswith(f"{node}.") for node in nodes)
    ]
    if len(tops) == 1:
        return f"only {_named(tops[0])} differs, with its settings"
    more = f" and {len(tops) - _NAMED} more" if len(tops) > _NAMED else ""
    return f"{len(tops)} things differ, {', '.join(map(_named, tops[:_NAMED]))}{more}"


def _named(change: Change) -> str:
    if (change.part, change.key) == ("data", "digest"):
        return "the data"
    if change.part == "model":
        return f"the model ({spelled(change.first)} → {spelled(change.second)})"
    return f"{shorten(change.key, 60)} ({spelled(change.first)} → {spelled(change.second)})"


def _effect(name: str, first: Mapping[str, Any], second: Mapping[str, Any], difference: Difference) -> str:
    what = name.replace("/", " ").replace("_", " ")
    if difference.value == 0:
        return f"{what} is the same, {shown(name, first['value'])}"
    words = "rose" if difference.value > 0 else "fell"
    better = "better" if (difference.value < 0) == lower_is_better(name) else "worse"
    bounds = _bounds(name, difference)
    if difference.is_distinguishable is False:
        return f"{what} {words} by {_points(name, difference.value)}{bounds}, which chance alone may explain"
    certain = f", which is {better}" if difference.is_distinguishable else f", which is {better}; without intervals"
    return f"{what} {words} by {_points(name, difference.value)}{bounds}{certain}"


def _points(name: str, value: float) -> str:
    text = shown(name, abs(value))
    return text.replace(" %", " points")


def _bounds(name: str, difference: Difference) -> str:
    entry = {"value": abs(difference.value), "low": difference.low, "high": difference.high}
    if difference.low is not None and difference.high is not None and difference.value < 0:
        entry |= {"low": -difference.high, "high": -difference.low}
    return shown_interval(name, entry).removeprefix(shown(name, entry["value"]))


def _remarks(
    first: RunInfo, changes: Sequence[Change], entry: Mapping[str, Any], other: Mapping[str, Any], difference: Difference
) -> list[str]:
    """How far the conclusion holds."""
    remarks = []
    if any((change.part, change.key) == ("data", "digest") for change in changes):
        remarks.append("the data differ, so the figures are of different examples")
    elif difference.low is not None and data_digest(first) is not None and entry.get("n") == other.get("n"):
        remarks.append(
            f"both runs saw the same {entry.get('n')} examples; the interval takes them as independent and is rather too wide"
        )
    if not changes:
        remarks.append("the cause is not recorded: changed files that are not committed, say, or another processor")
    elif difference.is_distinguishable and any(change.key != "seed" for change in changes):
        more = "they cannot be told apart; change one thing at a time, and " if len(changes) > 1 else ""
        remarks.append(f"one run each: {more}--seeds 5 tells it from the scatter between seeds")
    return remarks
