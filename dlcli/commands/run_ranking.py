"""``dl runs best``: finished runs by a figure, for each data set apart, with ties inside the intervals marked. No torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.errors import UsageError, nearest, suggestion
from dlcli.metrics.difference import difference_interval
from dlcli.runs.compare import trained_on
from dlcli.runs.figures import is_whole, lower_is_better, main_name
from dlcli.runs.find import MODEL_VERBS, RunInfo


@dataclass(frozen=True)
class Ranked:
    """A run in the order of a figure, among those on the same data.

    Args:
        data: name of the data set.
        digest: of its content; two versions of a data set are ranked apart.
        entry: the figure as ``result.json`` has it.
        distinguishable: whether it is worse than the best beyond what chance explains; None for the best, and without intervals.
    """

    run: RunInfo
    data: str
    digest: str
    rank: int
    entry: dict[str, Any]
    distinguishable: bool | None

    def to_dict(self, name: str) -> dict[str, Any]:
        """Returns plain data; ``name`` is that of the figure."""
        own = {"id": self.run.id, "verb": self.run.verb, "name": self.run.name, "data": self.data, "data_digest": self.digest}
        return {**own, "rank": self.rank, "metric": name, "value": self.entry, "distinguishable": self.distinguishable}


def rank(runs: Iterable[RunInfo], metric: str | None) -> tuple[str, list[Ranked]]:
    """Returns the figure's full name, and the finished runs that have it, the best of each data set first.

    Args:
        metric: a name as in ``result.json``, or its last part; None is the one that speaks for most of the runs. Where
            trainings have it, only they are ranked: an evaluation has its parent's figures once more.

    Raises:
        UsageError: there is no such figure.
    """
    done = [run for run in runs if run.result is not None and not run.information.get("fast_dev_run")]
    name = _full_name(metric, done)
    having = [run for run in done if run.result and run.result.metrics.get(name, {}).get("value") is not None]
    trained = [run for run in having if run.verb in MODEL_VERBS]
    groups: dict[tuple[str, str], list[RunInfo]] = defaultdict(list)
    for run in trained or having:
        groups[_data_of(run)].append(run)
    ranked = []
    for (data, digest), members in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        order = sorted(members, key=lambda run: _value(run, name), reverse=not lower_is_better(name))
        best = _entry(order[0], name)
        for place, run in enumerate(order):
            difference = difference_interval(best, _entry(run, name)) if place else None
            distinguishable = difference.is_distinguishable if difference is not None else None
            ranked.append(Ranked(run, data, digest, place + 1, _entry(run, name), distinguishable))
    return name, ranked


def _full_name(metric: str | None, runs: Sequence[RunInfo]) -> str:
    there = list(dict.fromkeys(name for run in runs if run.result for name in run.result.metrics))
    whole = list(filter(is_whole, there))
    if metric is None:
        found = main_name(there) or next(iter(whole), None)
        if found is None:
            raise UsageError("no finished run with a figure is among these", hint="dl runs shows what is there")
        return found
    if metric in there:
        return metric
    fitting = [name for name in whole if name.endswith(f"/{metric}")]
    if fitting:
        # test/ece before val/ece before test/calibrated/ece.
        order = ("test/", "cv/", "val/", "")
        return min(
            fitting, key=lambda name: (name.count("/"), next(i for i, start in enumerate(order) if name.startswith(start)))
        )
    near = nearest(metric, [*whole, *(name.partition("/")[2] for name in whole)])
    expected = f"; expected one of {', '.join(sorted(whole)[:12])}" + (" …" if len(whole) > 12 else "") if whole else ""
    hint = f"dl runs best {near[0]}" if near else "dl runs best"
    raise UsageError(f"no finished run has the figure '{metric}'{expected}{suggestion(near)}", hint=hint)


def _data_of(run: RunInfo) -> tuple[str, str]:
    """Name and digest of the data; where no checkpoint says them, the run's name."""
    state = trained_on(run)
    spec = state.get("spec")
    name = spec.get("name") if isinstance(spec, dict) else None
    return str(name or run.name), str(state.get("data_digest") or "")


def _entry(run: RunInfo, name: str) -> dict[str, Any]:
    assert run.result is not None
    return dict(run.result.metrics[name])


def _value(run: RunInfo, name: str) -> float:
    return float(_entry(run, name)["value"])
