"""Running a study: a look at something that is no training run, written down as a run all the same."""

from __future__ import annotations

import time
from typing import Any

import torch

from dlcli.commands.console import Talk
from dlcli.commands.session import finished, recorded
from dlcli.config.build import build
from dlcli.config.invocation import Invocation
from dlcli.config.schema import TrainSettings
from dlcli.config.stored import as_yaml
from dlcli.errors import UsageError
from dlcli.report.text import safe
from dlcli.runs.record import Result

# The keys that a study reads.
_READ = ("study", "seed=", "name=")


def run_study(settings: TrainSettings, invocation: Invocation) -> Result | None:
    """Runs the study that was chosen; returns the result, or None for ``--dry-run``. Raises ConfigError."""
    talk = Talk.of(invocation)
    assert settings.study is not None
    study = build("study", settings.study)
    ignored = [text for text in invocation.overrides if not text.lstrip("+").startswith(_READ)]
    if ignored:
        raise UsageError(f"a study trains no network: {ignored[0]} has no place", hint="study.KEY=VALUE, seed=N or --name NAME")
    if invocation.dry_run:
        talk.text(as_yaml(settings).decode())
        talk.line("nothing was written")
        return None
    started = time.perf_counter()
    name = next((choice for group, choice in invocation.choices.items() if group.startswith("study/")), "study")
    with recorded(settings, invocation, name=name, parent=None, device=torch.device("cpu")) as run:
        outcome = study(seed=settings.seed)
        files = {picture: run.write(f"plots/{picture}.png", data) for picture, data in outcome.pictures.items()}
        result = finished(run, invocation, seconds=time.perf_counter() - started, metrics=outcome.metrics, files=files)
        talk.show(_table(outcome.rows))
        for file in files.values():
            talk.line(f"picture: {run.path}/{file}")
        talk.next_commands()
        return result


def _table(rows: Any) -> Any:
    from rich.table import Table

    header, *body = rows
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(safe(name), justify="right" if place else "left")
    for row in body:
        table.add_row(*map(safe, row))
    return table
