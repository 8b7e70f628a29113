"""``dl train --lr-find``: a learning-rate range test before training, which goes on as if there had been none."""

from __future__ import annotations

from dlcli.commands.console import Talk
from dlcli.commands.signals import StopFlag
from dlcli.commands.training import Job
from dlcli.engine.device import memory_errors
from dlcli.engine.range_test import STEPS, RangeTest, range_test
from dlcli.report.range_plot import range_picture, range_plot
from dlcli.runs.run import Run

PICTURE = "plots/lr_find.png"
_FAST_STEPS = 10


def find_rate(run: Run, job: Job, *, talk: Talk, flag: StopFlag) -> None:
    """Tests learning rates on a copy of the model, draws what it saw into the run, and says which rates it suggests."""
    steps = _FAST_STEPS if run.information.get("fast_dev_run") else STEPS
    what, advice = f"a range test with batches of {job.plan.batch_size}", f"trainer.batch_size={max(1, job.plan.batch_size // 4)}"
    with talk.progress("rates", steps) as bar, memory_errors(what, advice):
        found = range_test(job.parts, job.plan, steps=steps, stop=flag, tell=bar.at)
    flag.check()
    configured = float(job.parts.optimizer.param_groups[0]["initial_lr"])
    suggested = {"steepest": found.steepest, "a tenth of the lowest": found.tenth}
    marks = {name: rate for name, rate in suggested.items() if rate is not None}
    run.write(PICTURE, range_plot(found.rates, found.losses, found.smoothed, {**marks, "configured": configured}))
    talk.picture(range_picture(found.rates, found.losses, found.smoothed, width=min(talk.console.width, 72)))
    for line in words(found, configured):
        talk.line(line)


def words(found: RangeTest, configured: float) -> list[str]:
    """Returns what a range test says, for people."""
    if not found.rates:
        return ["range test: the first step was not finite already; nothing to suggest"]
    seen = f"range test: {len(found.rates)} steps at rates from {found.rates[0]:.2g} to {found.rates[-1]:.2g}"
    keeps = f"this run keeps optimizer.lr={configured:.2g}"
    if found.steepest is None or found.tenth is None:
        return [f"{seen}; the loss did not fall by more than its noise, so there is nothing to suggest; {keeps}"]
    return [
        f"{seen}; the loss falls fastest at {found.steepest:.2g} and is lowest at {found.lowest:.2g}",
        f"try optimizer.lr={found.steepest:.2g} (steepest) or {found.tenth:.2g} (a tenth of the lowest); {keeps}",
    ]


def picture_of_range_test(run: Run) -> dict[str, str]:
    """Returns the file that a range test left in the run, for its result, or nothing."""
    return {"lr_find": PICTURE} if (run.path / PICTURE).is_file() else {}
