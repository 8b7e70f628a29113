"""``dl fetch``: published data sets and weights, ahead of time."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict

import typer

_NAMES = typer.Argument(None, metavar="NAME", help="Data sets; --list shows them. Or networks: resnet18.", show_default=False)


def fetch(
    *,
    names: list[str] | None = _NAMES,
    as_list: bool = typer.Option(False, "--list", help="Show what can be fetched, and what is there."),
    to: str | None = typer.Option(None, "--to", metavar="FOLDER", help="Keep them in FOLDER/NAME; else $DL_DATA or the cache."),
    quiet: bool = typer.Option(False, "--quiet", "-q", help="Only warnings and errors."),
    as_json: bool = typer.Option(False, "--json", help="Print what was done as JSON."),
    config_dir: str | None = typer.Option(None, "--config-dir", metavar="FOLDER", help="A folder of your own configs."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a failure.", hidden=True),
) -> None:
    """Get published data sets and weights ahead of time: dl fetch cifar10 resnet18."""
    from dlcli.errors import UsageError
    from dlcli.report.text import safe

    if as_list and names:
        raise UsageError("--list shows all data sets; leave out the names", hint="dl fetch --list")
    if not as_list and not names:
        raise UsageError("name what to fetch", hint="dl fetch --list")
    if not as_list and not quiet:
        # The classes that know the addresses need PyTorch, which takes seconds to load.
        sys.stderr.write(f"{safe(shlex.join(['dl', 'fetch', *(names or [])]))} · loading PyTorch …\n")
        sys.stderr.flush()
    from dlcli.commands import fetch as task
    from dlcli.commands.console import Talk
    from dlcli.data.fetchable import readable

    if as_list:
        items = task.listing(to=to, config_dir=config_dir)
    else:
        items = [asdict(one) for one in task.fetch(names or [], to=to, config_dir=config_dir, talk=Talk(quiet=quiet))]
    if as_json:
        sys.stdout.write(json.dumps({"schema": 1, "verb": "fetch", "items": items}, indent=1) + "\n")
    elif as_list:
        width = max((len(item["name"]) for item in items), default=0)
        for item in items:
            state = "here" if item["here"] else "--"
            line = f"{item['name']:<{width}}  {readable(item['size']):>9}  {state:<4}  terms: {item['terms']}"
            sys.stdout.write(safe(line) + "\n")
