"""A fit in memory alone: no run folder, no checkpoints; the best epoch's weights stay in the model."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from dlcli.commands.models import load_weights
from dlcli.commands.signals import StopFlag
from dlcli.commands.training import Job
from dlcli.engine.fit import fit
from dlcli.engine.reports import EpochReport
from dlcli.engine.state import Progress


def fit_and_keep_best(job: Job, flag: StopFlag, *, tell: Callable[[int], None] = lambda step: None) -> int:
    """Trains and leaves the best weights in the model; returns their epoch, from 1.

    Args:
        tell: called now and then with the number of steps done.

    Raises:
        Interrupted: where a signal has arrived; nothing was saved.
    """
    best: dict[str, Tensor] = {}
    epoch, progress = job.plan.epochs, Progress()
    for report in fit(job.parts, job.plan, progress, stop=flag):
        flag.check()
        tell(progress.step)
        if isinstance(report, EpochReport) and report.best and job.bundle.val is not None:
            average = job.parts.average
            state = job.model.state_dict() if average is None else average.tensors()
            best, epoch = {name: tensor.detach().clone() for name, tensor in state.items()}, report.epoch + 1
    if not best and job.parts.average is not None:
        best = dict(job.parts.average.tensors())
    if best:
        load_weights(job.model, best, source="the best epoch")
    return epoch
