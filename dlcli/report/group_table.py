"""How groups fare, as tables for the terminal: made of what ``groups.json`` holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dlcli.report.text import safe

_SHARES = {
    "base_rate": "base rate",
    "selection_rate": "selected",
    "tpr": "TPR",
    "fpr": "FPR",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
}
_SCORES = {"auroc": "AUROC", "calibration_gap": "forecast − observed"}
_DIFFERENCES = {
    "dp_difference": "demographic parity: selected, highest − lowest",
    "dp_ratio": "demographic parity: lowest / highest",
    "equalized_odds_difference": "equalized odds: TPR or FPR, the larger difference",
    "tpr_difference": "TPR, highest − lowest",
    "fpr_difference": "FPR, highest − lowest",
    "accuracy_difference": "accuracy, highest − lowest",
    "auroc_gap": "AUROC, highest − lowest",
    "calibration_gap": "forecast − observed, highest − lowest",
}


def group_tables(columns: Sequence[Mapping[str, Any]], *, classes: Sequence[str]) -> RenderableType:
    """Returns, for each column of ``groups.json``, its groups, its differences and its verdict.

    Args:
        classes: names; of two the second is asked about.
    """
    positive = classes[1] if len(classes) == 2 else None
    parts: list[RenderableType] = []
    for column in columns:
        parts += [_groups(column, positive), _differences(column, classes), _verdict(column), Text("")]
    return Group(*parts)


def beside(
    columns: Sequence[Mapping[str, Any]],
    others: Sequence[Mapping[str, Any]],
    *,
    scores: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> RenderableType:
    """Returns two models side by side: the one with the columns among its inputs, and the one without.

    Args:
        columns, others: of ``groups.json``, of either model.
        scores: what dropping the columns costs: a metric of either model by name.
    """
    table = _table("the same model without the columns", "", "with them", "without")
    for name, (own, other) in scores.items():
        table.add_row(safe(name.replace("_", " ")), _number(own), _number(other))
    parts: list[RenderableType] = [table, Text("")]
    for column, without in zip(columns, others, strict=True):
        table = _table(f"{column['column']}, with it and without", "difference", "with", "p", "without", "p")
        for name, difference in column["differences"].items():
            other = without["differences"][name]
            table.add_row(_DIFFERENCES[name], _number(difference), _p(difference), _number(other), _p(other))
        parts += [table, Text("")]
    return Group(*parts)


def _groups(column: Mapping[str, Any], positive: str | None) -> Table:
    names = column["groups"][0]["metrics"]
    shares = {name: words for name, words in _SHARES.items() if name in names}
    scores = {name: words for name, words in _SCORES.items() if name in names}
    about = f", selected = called {positive}" if positive is not None else ""
    table = _table(f"{column['column']}{about}, in percent", "group", "n", *shares.values(), *scores.values(), "")
    for group in column["groups"]:
        cells = [_percent(group["metrics"][name]) for name in shares]
        cells += [_number(group["metrics"][name], digits=2) for name in scores]
        note = f"insufficient data: {group['lacking']}" if group["lacking"] else ""
        table.add_row(safe(group["name"]), str(group["n"]), *cells, note, style="dim" if note else "")
    return table


def _differences(column: Mapping[str, Any], classes: Sequence[str]) -> Table:
    table = _table("", "difference", "value", "p", "between")
    for name, difference in column["differences"].items():
        between = " and ".join(difference["between"] or ())
        if difference.get("class") is not None:
            between += f", called {classes[difference['class']]}"
        table.add_row(_DIFFERENCES[name], _number(difference), _p(difference), safe(between))
    return table


def _verdict(column: Mapping[str, Any]) -> Text:
    lines = [f"{column['column']}: {column['verdict']}", *(f"  warning: {line}" for line in column["warnings"])]
    text = Text()
    for number, line in enumerate(lines):
        text.append(safe(line) + ("\n" if number < len(lines) - 1 else ""), style="yellow" if column["warnings"] else "")
    return text


def _percent(metric: Mapping[str, Any]) -> str:
    if metric["value"] is None:
        return "–"
    shown = f"{100 * metric['value']:.1f}"
    return shown if metric["low"] is None else f"{shown} [{100 * metric['low']:.0f}, {100 * metric['high']:.0f}]"


def _number(metric: Mapping[str, Any], *, digits: int = 3) -> str:
    if metric["value"] is None:
        return "insufficient data" if "p" in metric else "–"
    shown = f"{metric['value']:.{digits}f}"
    return shown if metric["low"] is None else f"{shown} [{metric['low']:.{digits}f}, {metric['high']:.{digits}f}]"


def _p(difference: Mapping[str, Any]) -> str:
    p = difference["p"]
    return "" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=safe(title) or None, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(safe(column), justify="right" if number else "left")
    return table
