"""``dl train``: from a configuration to a trained, tested model in a run folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from dlcli.commands.conclude import conclude_fit
from dlcli.commands.console import Talk
from dlcli.commands.models import assemble, load_model, load_weights, newest_good
from dlcli.commands.session import failing, plain_number, recorded
from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.commands.training import Job, load_bundle, prepare, restore, run_fit, snapshot
from dlcli.config.bridge import read_stored
from dlcli.config.schema import FitSettings, FinetuneSettings, Invocation, TrainSettings, checked_settings
from dlcli.contracts import DataBundle, Preprocessing
from dlcli.engine.device import choose_device, describe_device
from dlcli.engine.fit import Progress, fit
from dlcli.errors import ConfigError, DataError, DlcliError, LockedError, UsageError
from dlcli.randomness import borrowed_rng, key, seed_step
from dlcli.runs.find import find_unfinished
from dlcli.runs.record import Result, describe_environment
from dlcli.runs.run import Run, is_locked

RESUMABLE_KEYS = ("trainer.max_time", "device")


def train(settings: TrainSettings, invocation: Invocation) -> Result | None:
    """Trains a model and tests it; returns the result, or None for ``--dry-run``."""
    talk = Talk(quiet=invocation.quiet)
    device = choose_device(settings.device)
    with catching_signals() as flag:
        job = _job(settings, load_bundle(settings), device, talk)
        flag.check()
        name = invocation.choices.get("experiment", job.bundle.spec.name)
        if invocation.dry_run:
            _dry_run(settings, job, talk)
            return None
        parent = None
        if settings.start_from is not None:
            loaded = load_model(settings.start_from, which="best", device=device, talk=talk)
            load_weights(job.model, loaded.checkpoint.weights, source=f"--from {settings.start_from}")
            parent = loaded.reference
        with recorded(
            settings, invocation, name=name, parent=parent, device=device, fast_dev_run=settings.fast_dev_run
        ) as run:
            announce(run, job, talk)
            return _fit_and_conclude(run, job, Progress(), settings, invocation, talk, flag)


def resume(verb: str, reference: str | None, changes: Sequence[str], invocation: Invocation) -> Result | None:
    """Continues an unfinished run bit for bit; a finished one says so.

    Args:
        changes: ``KEY=VALUE`` for what may change: ``trainer.max_time`` and ``device``.
    """
    talk = Talk(quiet=invocation.quiet)
    info = find_unfinished(verb, reference)
    if info.state == "broken":
        raise DataError(f"{info.path} is not a readable run: {info.problem}")
    if info.verb != verb:
        raise UsageError(f"run {info.id} is a run of dl {info.verb}", hint=f"dl {info.verb} --resume {info.id}" if info.verb == "finetune" else None)
    if info.state == "finished":
        talk.line(f"run {info.id} is finished; nothing to do")
        talk.line(f"longer: dl train {info.name} --from {info.id} trainer.epochs=N")
        return info.result
    values = _changed(read_stored((info.path / "config.yaml").read_bytes(), source=f"{info.path}/config.yaml"), changes)
    settings = checked_settings(verb, values)
    assert isinstance(settings, FitSettings)
    device = choose_device(settings.device)
    with catching_signals() as flag:
        run = Run.reopen(info.path)
        with failing(run):
            found = newest_good(info.path, talk)
            job = _resumed_job(settings, run, device, talk)
            progress = Progress()
            run.rewind_metrics(0 if found is None else int(found[0].progress.get("metrics_size", 0)))
            if found is not None:
                progress = restore(job, found[0])
            warn_of_differences(run, device, talk)
            talk.line(f"resuming {info.id} at step {progress.step} of {job.total_steps}")
            return _fit_and_conclude(run, job, progress, settings, replace(invocation, verb=verb), talk, flag)


def announce(run: Run, job: Job, talk: Talk) -> None:
    """Prints the one line that says what runs where."""
    bundle, count = job.bundle, sum(parameter.numel() for parameter in job.model.parameters())
    talk.line(
        f"{describe_device(job.parts.device)} · {bundle.spec.name} {plain_number(len(bundle.train))} train, "
        f"{plain_number(len(bundle.val))} val, {plain_number(len(bundle.test))} test · "
        f"{type(job.model.net).__name__} {plain_number(count)} parameters · {run.path}"
    )


def warn_of_differences(run: Run, device: torch.device, talk: Talk) -> None:
    """Says so where a resumed run is valid but not bit-exact: other threads, torch or device."""
    own = run.information
    now = describe_environment()["versions"]
    differs = [
        f"{what} {then} → {here}"
        for what, then, here in (
            ("device", own.get("device"), describe_device(device)),
            ("torch", own.get("versions", {}).get("torch"), now["torch"]),
        )
        if then != here
    ]
    if differs:
        talk.warn(f"valid, not bit-exact: {', '.join(differs)}")


def _job(settings: TrainSettings, bundle: DataBundle, device: torch.device, talk: Talk) -> Job:
    with borrowed_rng():
        seed_step(settings.seed, "weights", 0)
        model = assemble(settings.model, bundle.spec, Preprocessing.of(bundle.spec))
    return prepare(settings, model, bundle, node=settings.model, device=device, talk=talk)


def _resumed_job(settings: FitSettings, run: Run, device: torch.device, talk: Talk) -> Job:
    """The job as it was at step 0; also right where no checkpoint was ever written."""
    if isinstance(settings, FinetuneSettings):
        from dlcli.commands.finetune import finetune_job

        return finetune_job(settings, device, talk).job
    assert isinstance(settings, TrainSettings)
    try:
        job = _job(settings, load_bundle(settings), device, talk)
    except ConfigError as error:
        raise DataError(f"{run.path}/config.yaml: {error.message}", hint=error.hint) from error
    if settings.start_from is not None:
        loaded = load_model(str(run.information["parent"]), which="best", device=device, talk=talk)
        load_weights(job.model, loaded.checkpoint.weights, source=f"--from {settings.start_from}")
    return job


def _fit_and_conclude(
    run: Run, job: Job, progress: Progress, settings: FitSettings, invocation: Invocation, talk: Talk, flag: StopFlag
) -> Result:
    started = time.perf_counter()
    training = run_fit(run, job, progress, talk=talk, flag=flag)
    flag.check()
    return conclude_fit(run, job, progress, invocation, talk, flag, started=started, training=training)


def _dry_run(settings: FitSettings, job: Job, talk: Talk) -> None:
    """Prints configuration, sizes and an estimate from a few real steps on a copy; writes nothing."""
    import dataclasses

    import yaml

    talk.console.print(yaml.safe_dump(dataclasses.asdict(settings), sort_keys=False), end="")
    state = snapshot(job, Progress())
    progress, ticks = Progress(), []

    def stop() -> int | None:
        ticks.append(time.perf_counter())
        return 1 if progress.step >= 4 else None

    for _ in fit(job.parts, replace(job.plan, log_every=10**9, save_every=None), progress, stop=stop):
        pass
    restore(job, state)
    steps = len(ticks) - 2
    per_step = (ticks[-1] - ticks[1]) / steps if steps > 0 else ticks[-1] - ticks[0]
    parameters = sum(parameter.numel() for parameter in job.model.parameters())
    bundle = job.bundle
    talk.line(
        f"{describe_device(job.parts.device)} · {bundle.spec.name} {plain_number(len(bundle.train))} train · "
        f"{plain_number(parameters)} parameters ({parameters * 4 / 1e6:.1f} MB) · {job.total_steps} steps, about "
        f"{per_step * job.total_steps:.0f} s of training ({1000 * per_step:.1f} ms a step measured); nothing was written"
    )


def _changed(values: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """The stored configuration with the few keys that a resumed run may change. Raises UsageError."""
    import yaml

    for change in changes:
        name, _, text = change.partition("=")
        if name not in RESUMABLE_KEYS:
            raise UsageError(
                f"'{name}' cannot change when a run is resumed; only {', '.join(RESUMABLE_KEYS)} can",
                hint="other settings: dl train --from RUN KEY=VALUE",
            )
        target = values
        *path, last = name.split(".")
        for part in path:
            target = target[part]
        target[last] = yaml.safe_load(text)
    return values


__all__ = ["DlcliError", "LockedError", "announce", "is_locked", "key", "resume", "train"]
