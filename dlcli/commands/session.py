"""What every verb with a run shares: the run's record, its failure, and what is said at the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from dlcli.commands.console import Talk, kept
from dlcli.config.invocation import Invocation
from dlcli.config.schema import Settings
from dlcli.config.stored import as_yaml
from dlcli.contracts import Metric
from dlcli.engine.device import describe_device, make_repeatable
from dlcli.errors import DlcliError, Interrupted
from dlcli.runs import platform
from dlcli.runs.find import MODEL_VERBS
from dlcli.runs.record import Result, rerun_command
from dlcli.runs.run import Run


@contextmanager
def recorded(
    settings: Settings, invocation: Invocation, *, name: str, parent: str | None, device: torch.device, fast_dev_run: bool = False
) -> Iterator[Run]:
    """Lends a new run, which repeats on its device; an exception is recorded in it and goes on, with the log named."""
    make_repeatable(device)
    run = Run.create(
        verb=invocation.verb,
        name=settings.name or name,
        config=as_yaml(settings),
        information={
            "command": rerun_command(list(invocation.arguments)),
            "overrides": list(invocation.overrides),
            "parent": parent,
            "sweep": invocation.sweep,
            "trial": invocation.trial,
            "fast_dev_run": fast_dev_run,
            "device": describe_device(device),
            "threads": torch.get_num_threads(),
        },
    )
    with failing(run):
        yield run


@contextmanager
def failing(run: Run) -> Iterator[None]:
    """Keeps what is said in the run's log; records an exception and lets it go on; an interrupted fit is told how it goes on."""
    try:
        with kept(run.note):
            yield
    except BaseException as error:
        if isinstance(error, Interrupted) and error.hint is None and run.information["verb"] in MODEL_VERBS:
            error.hint = f"dl {run.information['verb']} --resume {run.id}"
        run.fail(error)
        if isinstance(error, DlcliError) and not isinstance(error, Interrupted):
            error.add_note(f"log: {run.path}/log.txt")
        raise


def finished(
    run: Run, invocation: Invocation, *, seconds: float, metrics: Mapping[str, Metric], files: Mapping[str, str]
) -> Result:
    """Writes the result, and prints it where ``--json`` asks for it."""
    result = run.finish(seconds=seconds, metrics={name: metric.to_dict() for name, metric in metrics.items()}, files=files)
    print_result(result, invocation)
    if invocation.open and files:
        picture = run.path / next(iter(files.values()))
        try:
            platform.open_with_desktop(picture)
        except OSError as error:  # the run is finished: a missing viewer must not make it fail
            Talk.of(invocation).warn(f"no viewer found ({error.strerror}); the picture is {picture}")
    return result


def print_result(result: Result, invocation: Invocation) -> None:
    """Writes ``result.json`` to standard output where ``--json`` asks for it."""
    if invocation.json:
        sys.stdout.buffer.write(result.to_json())
        sys.stdout.buffer.flush()


def plain_number(value: Any) -> str:
    """Returns a count with thin separators, for people."""
    return f"{value:,}".replace(",", " ")
