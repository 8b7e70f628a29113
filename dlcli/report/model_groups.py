"""How groups of people fare, as a section of a report, from an evaluation's ``groups.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlcli.report.dossier import Dossier, Evidence
from dlcli.report.numbers import count, figure, label, number, written
from dlcli.report.page import Block, Missing, Section, Table, Text

_WITHOUT = "fairness/without/"
_FIRST = ("base_rate", "selection_rate", "tpr", "fpr", "accuracy", "auroc", "calibration_gap")


def groups(dossier: Dossier) -> Section:
    """Returns a table of the groups and one of the differences for each column, each with its verdict."""
    run = next((run for run in dossier.evaluations if run.groups is not None), None)
    if run is None or run.groups is None:
        missing = Missing("how groups of people fare", f"dl evaluate --run {dossier.model.id} --groups COLUMN")
        return Section("Groups", (missing,))
    positive = str(run.groups.get("positive", "the second class"))
    threshold = number(run.groups.get("threshold"))
    at = "" if threshold is None else f" from probability {threshold:g} on"
    lead = Text(f"Selected means predicted as {positive}{at}; measured by evaluate {run.id}.")
    return Section("Groups", (lead,), (*_parts(run.groups), *_without(dossier)))


def _parts(content: Mapping[str, Any]) -> Iterator[Section]:
    for column in _mappings(content.get("columns")):
        name = str(column.get("column", "?"))
        blocks: list[Block] = []
        if isinstance(column.get("verdict"), str):
            blocks.append(Text(column["verdict"], "verdict"))
        warnings = column.get("warnings")
        blocks += [Text(str(warning), "warning") for warning in warnings] if isinstance(warnings, list) else []
        blocks += [*_group_table(name, column), *_difference_table(name, column)]
        yield Section(name, tuple(blocks))


def _without(dossier: Dossier) -> Iterator[Section]:
    """The model beside a second one that was not shown these columns: leaving them out need not make groups fare alike."""
    run = next((run for run in dossier.evaluations if any(name.startswith(_WITHOUT) for name in run.metrics)), None)
    if run is None:
        return
    second = f"{run.split}/without_groups/"
    pairs = [(f"fairness/{name}", f"{_WITHOUT}{name}") for name in _names(run, _WITHOUT)]
    pairs += [(f"{run.split}/{name}", f"{second}{name}") for name in _names(run, second)]
    rows = [(label(own), figure(own, run.metrics.get(own)), figure(own, run.metrics[other])) for own, other in pairs]
    table = Table(
        "Largest differences over the columns, and figures of all", ("metric", "this model", "without the columns"), tuple(rows)
    )
    lead = Text(f"Trained again on data without these columns, by evaluate {run.id}.")
    yield Section("Without these columns", (lead, table))


def _names(run: Evidence, prefix: str) -> list[str]:
    """What follows ``prefix`` in the names of metrics that are of no single column."""
    return [rest for name in run.metrics if name.startswith(prefix) and "/" not in (rest := name.removeprefix(prefix))]


def _group_table(name: str, column: Mapping[str, Any]) -> Iterator[Block]:
    members = _mappings(column.get("groups"))
    found = dict.fromkeys(metric for member in members for metric in _mapping(member.get("metrics")))
    metrics = [*(metric for metric in _FIRST if metric in found), *(metric for metric in found if metric not in _FIRST)]
    rows = []
    for member in members:
        values = _mapping(member.get("metrics"))
        few = "" if member.get("enough", True) else " (too few for a verdict)"
        cells = (figure(metric, values.get(metric)) for metric in metrics)
        rows.append((f"{member.get('name', '?')}{few}", count(member.get("n")), count(member.get("positives")), *cells))
    if rows:
        yield Table(f"Groups of {name}, with 95 % intervals", ("group", "n", "positives", *map(label, metrics)), tuple(rows))


def _difference_table(name: str, column: Mapping[str, Any]) -> Iterator[Block]:
    rows = []
    for metric, entry in _mapping(column.get("differences")).items():
        values = _mapping(entry)
        chance = number(values.get("p"))
        rows.append((label(metric), figure(metric, values), "–" if chance is None else written("p", chance)))
    if rows:
        yield Table(f"Largest differences between groups of {name}", ("difference", "value", "p"), tuple(rows))


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
