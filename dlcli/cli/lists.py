"""``dl list``: what there is to choose from, one line each. No torch, no Hydra."""

from __future__ import annotations

import json
import sys

import typer


def list_entries(
    kind: str = typer.Argument(
        ...,
        metavar="KIND",
        help="models, data, experiments, optimizers, schedulers, losses, adversaries, attacks, explainers or studies.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print them as JSON."),
    config_dir: str | None = typer.Option(None, "--config-dir", help="A folder of your own configs."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a failure.", hidden=True),
) -> None:
    """List models, data, experiments, attacks and the like."""
    from dlcli.config.catalog import LISTED, description, entries
    from dlcli.errors import UsageError, nearest, suggestion
    from dlcli.report.text import safe

    if kind not in LISTED:
        near = nearest(kind, LISTED)
        expected = f"expected one of {', '.join(LISTED)}"
        raise UsageError(f"cannot list '{kind}'; {expected}{suggestion(near)}", hint=f"dl list {next(iter(near or LISTED))}")
    items = [
        {"name": name, "group": group, "description": description(path)}
        for group in LISTED[kind]
        for name, path in entries(group, user=config_dir).items()
    ]
    if as_json:
        sys.stdout.write(json.dumps({"schema": 1, "verb": "list", "items": items}, indent=1) + "\n")
        return
    if not items:
        sys.stderr.write(f"no {kind} yet\n")
        return
    width = max(len(item["name"]) for item in items)
    for item in items:
        sys.stdout.write(safe(f"{item['name']:<{width}}  {item['description']}") + "\n")
