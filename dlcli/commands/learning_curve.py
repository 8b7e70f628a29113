"""``dl finetune --compare``: how many labels pretraining is worth. Finetuned, a linear probe and the same network from scratch
on growing subsets, each with several seeds.

- ``10,30,100`` are labels per class in train and val together, exactly as many of each class, whatever the classes' shares are.
  A fifth of them chooses the epoch. With so few that choice is noisy: it is the one that somebody with these labels would have.
  By accuracy many epochs tie, and the first of them is kept; ``trainer.monitor=val/loss`` tells them apart.
- All arms see images of the same size. The two that train the whole network take as many steps (at least
  :data:`~dlcli.commands.comparison.MIN_STEPS`); a head alone costs next to nothing and has 30 epochs at least, before finetuning,
  too. Every seed has labels, a head and an order of its own, and its smaller subsets lie inside its larger ones.
- Intervals are Student's t over the seeds. All networks are tested on the same examples, so arms of one seed are paired.

No model is kept: the run has no checkpoints, and ``latest`` never means it.
"""

from __future__ import annotations

import time
from itertools import groupby

from dlcli.commands.comparison import Comparison, prepared
from dlcli.commands.comparison_estimate import comparison_estimate
from dlcli.commands.console import Talk
from dlcli.commands.curve_arms import fits
from dlcli.commands.curve_record import ARMS, Cell, Outcome, figures, log_outcome, logged_outcomes, name_of
from dlcli.commands.curve_words import table, told, verdict
from dlcli.commands.feature_bank import feature_bank
from dlcli.commands.session import finished, plain_number, recorded
from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.commands.start import name_of_run
from dlcli.commands.strategy import layout_of
from dlcli.config.invocation import Invocation
from dlcli.config.schema import FinetuneSettings
from dlcli.config.stored import as_yaml
from dlcli.engine.device import choose_device, describe_device, make_repeatable
from dlcli.errors import DataError, Interrupted
from dlcli.report.learning_curve import learning_curve_picture, learning_curve_plot
from dlcli.runs.record import Result
from dlcli.runs.run import Run


def learning_curve(settings: FinetuneSettings, invocation: Invocation) -> Result | None:
    """Compares the arms and writes the curves; returns the result, or None for ``--dry-run``.

    Raises:
        UsageError: the data have no test part, too few examples of a class, or are what the network was trained on.
    """
    talk = Talk.of(invocation)
    device = choose_device(settings.device)
    make_repeatable(device)
    comparison = prepared(settings, device, talk, asked=invocation.overrides)
    own, spec, start = comparison.settings, comparison.bundle.spec, comparison.start
    if invocation.dry_run:
        talk.text(as_yaml(own).decode())
        talk.line(f"{_sizes(comparison)}; {comparison_estimate(comparison, comparison.cells())}; nothing was written")
        return None
    with (
        catching_signals() as flag,
        recorded(
            own,
            invocation,
            name=name_of_run(own.backbone) if own.backbone is not None else spec.name,
            parent=start.reference,
            device=comparison.device,
            fast_dev_run=own.fast_dev_run,
        ) as run,
    ):
        words = layout_of(comparison.network.model, own.strategy).words()
        run.describe(
            origin={**start.origin, "replaced": comparison.head, "trained": words},
            comparison={"counts": [*comparison.counts], "seeds": [*comparison.seeds], "digest": comparison.bundle.digest},
        )
        talk.line(f"finetuned, head '{comparison.head}' replaced · {words}")
        return _compare(comparison, run, {}, invocation=invocation, talk=talk, flag=flag)


def resume_learning_curve(settings: FinetuneSettings, run: Run, invocation: Invocation, talk: Talk, flag: StopFlag) -> Result:
    """Goes on with the fits that an unfinished comparison has not done. Raises DataError where its data are others by now."""
    asked = [str(text) for text in run.information.get("overrides") or []]
    comparison = prepared(settings, choose_device(settings.device), talk, asked=asked)
    before = (run.information.get("comparison") or {}).get("digest", comparison.bundle.digest)
    if before != comparison.bundle.digest:
        raise DataError(
            f"{comparison.bundle.spec.name} has changed since {run.path} began, or is split otherwise",
            hint="bring the old data back, or start again",
        )
    known = set(comparison.cells())
    done = {cell: outcome for cell, outcome in logged_outcomes(run).items() if cell in known}
    talk.line(f"resuming {run.id}: {len(done)} of {len(known)} fits are done")
    return _compare(comparison, run, done, invocation=invocation, talk=talk, flag=flag)


def _compare(
    comparison: Comparison, run: Run, done: dict[Cell, Outcome], *, invocation: Invocation, talk: Talk, flag: StopFlag
) -> Result:
    """Does the missing fits; writes the curves and ``result.json``."""
    started = time.perf_counter()
    missing = [cell for cell in comparison.cells() if cell not in done]
    talk.line(f"{describe_device(comparison.device)} · {_sizes(comparison)} · {run.path}")
    talk.line(comparison_estimate(comparison, missing))
    flag.check()
    outcomes = _fill(comparison, run, done, missing, started=started, talk=talk, flag=flag)
    counts, seeds = comparison.counts, len(comparison.seeds)
    metrics = figures(outcomes, counts, comparison.seeds)
    sentence = verdict(metrics, counts, seeds=seeds, tested=len(comparison.test))
    curves = {words: {count: metrics[name_of(arm, count)] for count in counts} for arm, words in ARMS.items()}
    title = f"{comparison.bundle.spec.name}: {comparison.start.name}, {seeds} seeds"
    files = {"learning_curve": run.write("plots/learning_curve.png", learning_curve_plot(curves, title=title))}
    result = finished(run, invocation, seconds=time.perf_counter() - started, metrics=metrics, files=files)
    if len(counts) > 1:
        talk.picture(learning_curve_picture(curves, width=min(talk.console.width, 72)))
    talk.line(f"finetune run: {run.path} (a comparison: no model is kept; dl finetune without --compare makes one)")
    talk.show(table(metrics, outcomes, counts, seeds=seeds))
    talk.next_commands()
    talk.line(sentence, style="bold")
    return result


def _fill(
    comparison: Comparison,
    run: Run,
    done: dict[Cell, Outcome],
    missing: list[Cell],
    *,
    started: float,
    talk: Talk,
    flag: StopFlag,
) -> dict[Cell, Outcome]:
    """Returns all outcomes, those of the missing fits written down as they come. Raises Interrupted."""
    bank, limit = None, comparison.settings.trainer.max_time
    if any(cell.arm != "from_scratch" for cell in missing):
        began = time.perf_counter()
        bank = feature_bank(comparison, missing, talk=talk, flag=flag)
        talk.line(
            f"features of {plain_number(len(bank.rows))} labelled and all test examples: {time.perf_counter() - began:.1f} s"
        )
    found = dict(done)
    total = len(missing) + len(done)
    with talk.progress("fits", total, done=len(done)) as bar:
        for (labels, seed), cells in groupby(missing, key=lambda cell: (cell.labels, cell.seed)):
            own: dict[Cell, Outcome] = {}
            bar.at(len(found), f"{labels} labels per class, seed {seed}")
            for cell, outcome in fits(comparison, labels, seed, [cell.arm for cell in cells], bank=bank, flag=flag):
                log_outcome(run, cell, outcome)
                found[cell] = own[cell] = outcome
                bar.at(len(found), f"{labels} labels per class, seed {seed}: {ARMS[cell.arm]} done")
                if limit is not None and time.perf_counter() - started > limit and len(found) < total:
                    why = f"stopped by trainer.max_time={limit:g} s; {len(found)} of {total} fits are done"
                    hint = f"dl finetune --resume {run.id} trainer.max_time=null"
                    raise Interrupted(why, signal_number=None, hint=hint)
            talk.line(told(labels, seed, own))
    return found


def _sizes(comparison: Comparison) -> str:
    """The data, the network and the number of fits in words."""
    fits_of, side = len(comparison.cells()), comparison.settings.size
    parameters = sum(parameter.numel() for parameter in comparison.network.model.parameters())
    seen = f" seen at {side} x {side} px" if side is not None else ""
    counts = ", ".join(map(str, comparison.counts))
    return (
        f"{comparison.bundle.spec.name}{seen}, {plain_number(len(comparison.test))} test · {comparison.start.name} "
        f"{plain_number(parameters)} parameters · {counts} labels per class x {len(comparison.seeds)} seeds x {len(ARMS)} arms "
        f"= {fits_of} fits"
    )
