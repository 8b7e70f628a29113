"""``dl runs``: what is in the runs folder. No torch."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import typer

_MAIN = (
    "test/accuracy",
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
    from dlcli.errors import UsageError, did_you_mean
    from dlcli.runs.find import list_runs
    from dlcli.runs.run import runs_root

    if verb is not None and verb not in WORD_GROUPS:
        raise UsageError(f"no runs are made by '{verb}'{did_you_mean(verb, WORD_GROUPS)}", hint=f"verbs: {', '.join(WORD_GROUPS)}")
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
        started = datetime.fromisoformat(item["start"]).astimezone().strftime("%d %b %H:%M") if item["start"] else ""
        seconds = f"{item['seconds']:.1f}" if item["seconds"] is not None else ""
        state = Text(item["state"], style=colours[item["state"]])
        table.add_row(safe(item["id"]), item["verb"], safe(item["name"]), state, outcome, seconds, started)
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=200)
    console.print(table)


def _metric_text(item: dict[str, Any]) -> str:
    entry = item["value"]
    if not entry or entry.get("value") is None:
        return ""
    bounds = "" if entry.get("low") is None else f" [{100 * entry['low']:.2f}, {100 * entry['high']:.2f}]"
    return f"{item['metric']} {100 * entry['value']:.2f} %{bounds}"
