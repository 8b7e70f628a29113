"""``--dry-run`` of train and finetune: what would happen, how large it is and how long it would take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dlcli.commands.console import Talk
from dlcli.commands.session import plain_number
from dlcli.commands.training import Job
from dlcli.config.schema import FitSettings
from dlcli.config.stored import as_yaml
from dlcli.engine.device import describe_device
from dlcli.engine.fit import fit
from dlcli.engine.state import Progress
from dlcli.engine.summary import LayerSummary, summarise, total
from dlcli.report.text import safe

MEASURED_STEPS = 4


def dry_run(settings: FitSettings, job: Job, talk: Talk, *, whole: str = "") -> None:
    """Prints configuration, sizes and an estimate from a few real steps; writes nothing. The job is used up.

    Args:
        whole: what there is to say of all of the work, of which the steps are a part.
    """
    talk.text(as_yaml(settings).decode())
    layers = summarise(job.model.net, job.model.preprocessing.shape)
    talk.show(_table(layers))
    per_step = _seconds_per_step(job)
    parameters = sum(parameter.numel() for parameter in job.model.parameters())
    folds = getattr(settings, "folds", None)
    if folds is not None:
        talk.line(f"the estimate below is for the last model; before it come {folds[0] * folds[1]} folds, each a little shorter")
    talk.line(
        f"{describe_device(job.parts.device)} · {job.bundle.spec.name} {plain_number(len(job.bundle.train))} train · "
        f"{plain_number(parameters)} parameters ({parameters * 4 / 1e6:.1f} MB), "
        f"{plain_number(total(layers).macs)} multiply-adds for an example · {job.total_steps} steps, about "
        f"{per_step * job.total_steps:.0f} s of training ({1000 * per_step:.1f} ms a step measured)"
        f"{whole and f'; {whole}'}; nothing was written"
    )


def _table(layers: Sequence[LayerSummary]) -> Any:
    """The network layer by layer, and its sums."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(("layer", "type", "output of an example", "parameters", "multiply-adds")):
        table.add_column(name, justify="right" if place > 1 else "left")
    for layer in [*layers, total(layers)]:
        shape = "" if layer.output_shape is None else " x ".join(map(str, layer.output_shape))
        counts = (plain_number(count) if count else "" for count in (layer.parameters, layer.macs))
        table.add_row(safe(layer.name), safe(layer.kind), shape, *counts)
    return table


def _seconds_per_step(job: Job) -> float:
    """Trains a few steps; the first one, which warms up, is left out where there are more."""
    progress, ticks = Progress(), []

    def stop() -> int | None:
        ticks.append(time.perf_counter())
        return 1 if progress.step >= MEASURED_STEPS else None

    for _ in fit(job.parts, replace(job.plan, log_every=10**9, save_every=None, score_start=False), progress, stop=stop):
        pass
    steps = len(ticks) - 2
    return (ticks[-1] - ticks[1]) / steps if steps > 0 else ticks[-1] - ticks[0]
