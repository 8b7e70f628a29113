"""``dl doctor``: what this machine has, and what each missing piece costs. Here torch is loaded: it is asked for."""

from __future__ import annotations

import json
import sys

import typer


def doctor(
    as_json: bool = typer.Option(False, "--json", help="Print it as JSON."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a failure.", hidden=True),
) -> None:
    """Show versions, device, disk, and what data and weights are present."""
    from dlcli.commands.doctor import examine
    from dlcli.report.text import safe

    items = examine()
    if as_json:
        sys.stdout.write(json.dumps({"schema": 1, "verb": "doctor", "items": items}, indent=1) + "\n")
        return
    width = max(len(item["what"]) for item in items)
    for item in items:
        mark = "ok" if item["ok"] else "--"
        sys.stdout.write(safe(f"{mark}  {item['what']:<{width}}  {item['state']}") + "\n")
