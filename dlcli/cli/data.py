"""``dl data``: look at a data set before training on it."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer

_MOST_PER_CLASS = 100
_ACTIONS = ("check", "show")
_WORDS = typer.Argument(None, metavar="KEY=VALUE", help="Overrides such as data.size=96.", show_default=False)


def data(
    *,
    action: str = typer.Argument(..., metavar="check|show", help="check: what is wrong with it; show: a contact sheet."),
    name: str = typer.Argument(..., metavar="NAME|DIR|CSV", help="One of dl list data, your folder of images, or your CSV."),
    words: list[str] | None = _WORDS,
    target: str | None = typer.Option(None, "--target", metavar="COLUMN", help="Of a CSV: the column to predict."),
    split: str = typer.Option("train", "--split", metavar="SPLIT", help="show: train, val or test."),
    augment: str = typer.Option("none", "--augment", metavar="NAME", help="show: as this augmentation changes it."),
    per_class: int = typer.Option(6, "--per-class", metavar="N", help="show: so many of each class."),
    out: str | None = typer.Option(None, "--out", metavar="FILE", help="show: where the PNG goes."),
    workers: int = typer.Option(0, "--workers", metavar="N", help="Loader processes, for streamed data only."),
    as_json: bool = typer.Option(False, "--json", help="Print the findings as JSON."),
    config_dir: str | None = typer.Option(None, "--config-dir", metavar="FOLDER", help="A folder of your own configs."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a failure.", hidden=True),
) -> None:
    """Look at a data set: dl data check mnist, dl data show cifar10 --augment cifar."""
    from dlcli.errors import DataError, UsageError, did_you_mean

    if action not in _ACTIONS:
        near = did_you_mean(action, _ACTIONS)
        raise UsageError(f"dl data {action}: expected check or show{near}", hint=f"dl data check {name}")
    if not 1 <= per_class <= _MOST_PER_CLASS:
        raise UsageError(f"--per-class {per_class}: expected 1 … {_MOST_PER_CLASS}", hint="--per-class 10")
    overrides = [*_overrides(name, target, config_dir), f"augment={augment}", *(words or [])]
    from dlcli.commands.console import Talk
    from dlcli.commands.data import findings, load, show, tell_findings

    bundle, values = load(overrides, config_dir=config_dir, workers=workers)
    talk = Talk()
    if action == "show":
        show(bundle, values["augment"], name=augment, split=split, per_class=per_class, out=out, talk=talk)
        return
    found = findings(bundle)
    if as_json:
        items = [{"level": finding.level, "text": finding.text, "fix": finding.fix} for finding in found]
        sys.stdout.write(json.dumps({"schema": 1, "verb": "data", "items": items}, indent=1) + "\n")
    else:
        tell_findings(bundle, found, talk)
    problems = [finding for finding in found if finding.level == "problem"]
    if problems and as_json:
        raise typer.Exit(DataError.code)
    if problems:
        raise DataError(f"{bundle.spec.name}: {len(problems)} problem(s) found", hint=problems[0].fix)


def _overrides(name: str, target: str | None, config_dir: str | None) -> list[str]:
    """The overrides of ``dl train`` that choose the data. Raises UsageError."""
    from dlcli.cli.own_data import overrides_of

    given: dict[str, Any] = {"data": name, "target": target, "config_dir": config_dir}
    return overrides_of(given)
