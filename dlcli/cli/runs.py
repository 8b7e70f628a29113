"""``dl runs``: what is in the runs folder. No torch."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import typer

_MAIN = (
    "test/accuracy",
    "cv/accuracy",
    "val/accuracy",
    "train/accuracy",
    "attack/robust_accuracy",
    "explain/accuracy",
)


def runs(
    verb: str | None = typer.Argument(None, help="Only runs of this verb."),
    as_json: bool = typer.Option(False, "--json", help="Print them as JSON."),
    limit: int = typer.Option(50, "--limit", "-n", help="The newest N."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a failure.", hidden=True),
) -> None:
    """List the runs: id, verb, name, state, main metric, time."""
    from dlcli.config.catalog import WORD_GROUPS
    from dlcli.errors import UsageError, nearest, suggestion
    from dlcli.runs.find import list_runs
    from dlcli.runs.run import runs_root

    if verb is not None and verb not in WORD_GROUPS:
        near = nearest(verb, WORD_GROUPS)
        expected = f"expected one of {', '.join(WORD_GROUPS)}"
        raise UsageError(
            f"no runs are made by '{verb}'; {expected}{suggestion(near)}", hint=f"dl runs {next(iter(near), '')}".strip()
        )
    if limit < 1:
        raise UsageError(f"--limit {limit}: expected 1 or more")
    found = [run for _, run in zip(range(limit), list_runs(verbs=(verb,) if verb else None), strict=False)]
    items = [_item(run) for run in found]
    if as_json:
        sys.stdout.write(json.dumps({"schema": 1, "verb": "runs", "items": items}, indent=1) + "\n")
        return
    if not items:
        sys.stderr.write(f"no runs in {runs_root()}; make one: dl train mnist\n")
        return
    _print_table(items)


def _item(run: Any) -> dict[str, Any]:
    result = run.result
    name, metric = next(((name, result.metrics[name]) for name in _MAIN if result and name in result.metrics), (None, None))
    return {
        "id": run.id,
        "verb": run.verb,
        "name": run.name,
        "state": run.state,
        "metric": name,
        "value": metric,
        "seconds": result.seconds if result else None,
        "start": run.information.get("start"),
        "problem": run.problem,
    }


def _print_table(items: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from dlcli.report.text import safe, shorten

    colours = {"finished": "green", "running": "cyan", "interrupted": "yellow", "failed": "red", "broken": "red"}
    table = Table(box=None, pad_edge=False)
    for column in ("id", "verb", "name", "state", "result", "seconds", "started"):
        table.add_column(column, justify="right" if column == "seconds" else "left", no_wrap=True)
    for item in items:
        outcome = _metric_text(item) or shorten(item["problem"] or "", 60)
        seconds = f"{item['seconds']:.1f}" if item["seconds"] is not None else ""
        state = Text(item["state"], style=colours[item["state"]])
        row = (safe(item["id"]), safe(item["verb"]), safe(item["name"]), state, outcome, seconds, _local_time(item["start"]))
        table.add_row(*row)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=200)
    console.print(table)


def _local_time(start: Any) -> str:
    try:
        return datetime.fromisoformat(start).astimezone().strftime("%d %b %H:%M")
    except (TypeError, ValueError):  # a record that someone else wrote
        return ""


def _metric_text(item: dict[str, Any]) -> str:
    entry = item["value"] if isinstance(item["value"], dict) else {}
    value, low, high = (entry.get(name) for name in ("value", "low", "high"))
    if not isinstance(value, int | float):
        return ""
    bounds = f" [{100 * low:.2f}, {100 * high:.2f}]" if isinstance(low, int | float) and isinstance(high, int | float) else ""
    return f"{item['metric']} {100 * value:.2f} %{bounds}"
