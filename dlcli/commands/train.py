"""``dl train``: from a configuration to a trained, tested model in a run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dlcli.checkpoint import Checkpoint
from dlcli.classifier import Classifier, Preprocessing
from dlcli.commands.bundle import load_bundle
from dlcli.commands.conclude import fit_and_conclude
from dlcli.commands.console import Talk
from dlcli.commands.crossval import after_folds, as_the_folds_chose, cross_validate, on_all_rows, resumed_folds
from dlcli.commands.dry_run import dry_run
from dlcli.commands.from_scratch import Verdict
from dlcli.commands.lr_find import PICTURE, find_rate
from dlcli.commands.models import Loaded, assemble, load_model, load_weights, newest_good, refuse_mixed_parts, refuse_other_data
from dlcli.commands.session import failing, plain_number, print_result, recorded
from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.commands.strategy import prepare_finetuning
from dlcli.commands.study import run_study
from dlcli.commands.training import Job, metrics_size, prepare, restore
from dlcli.config.invocation import Invocation
from dlcli.config.schema import SPLITS, FinetuneSettings, FitSettings, TrainSettings, checked_settings
from dlcli.config.stored import read_stored
from dlcli.contracts import DataBundle, Predictions
from dlcli.engine.device import choose_device, describe_device, make_repeatable
from dlcli.engine.state import Progress
from dlcli.errors import ConfigError, DataError, UsageError
from dlcli.randomness import borrowed_rng, seed_step
from dlcli.runs.find import RunInfo, find_unfinished
from dlcli.runs.record import Result, describe_environment, rerun_command
from dlcli.runs.run import Run, read_config

OWN_DATA = ("folder", "table")
RESUMABLE_KEYS = ("trainer.max_time", "device")


def train(settings: TrainSettings, invocation: Invocation) -> Result | None:
    """Trains a model and tests it; returns the result, or None for ``--dry-run``."""
    if settings.study is not None:
        return run_study(settings, invocation)
    talk = Talk.of(invocation)
    device = choose_device(settings.device)
    if settings.folds is not None:
        settings = on_all_rows(settings)
    # Until there is a step to save, a signal ends the process at once, also while a large folder is decoded.
    start = None
    if settings.start_from is not None:
        start = load_model(settings.start_from, which="best", device=device, talk=talk)
    job = _job(settings if settings.folds is None else after_folds(settings), start, device, talk)
    with catching_signals() as flag:
        own = invocation.choices.get("data") in OWN_DATA
        name = job.bundle.spec.name if own else invocation.choices.get("experiment", job.bundle.spec.name)
        if invocation.dry_run:
            dry_run(settings, job, talk)
            return None
        parent = start.reference if start is not None else None
        with recorded(settings, invocation, name=name, parent=parent, device=device, fast_dev_run=settings.fast_dev_run) as run:
            found = None
            if settings.folds is not None:
                found = cross_validate(settings, run, device=device, talk=talk, flag=flag)
                job = as_the_folds_chose(job, found)
            announce(run, job, talk)
            if settings.lr_find:
                find_rate(run, job, talk=talk, flag=flag)
            return fit_and_conclude(run, job, Progress(), invocation=invocation, talk=talk, flag=flag, estimate=found)


def resume(verb: str, reference: str | None, changes: Sequence[str], invocation: Invocation) -> Result | None:
    """Continues an unfinished run bit for bit; a finished one says so.

    Args:
        changes: ``KEY=VALUE`` for what may change: ``trainer.max_time`` and ``device``.
    """
    talk = Talk.of(invocation)
    info = find_unfinished(verb, reference)
    if info.result is not None:
        talk.line(f"run {info.id} is finished; nothing to do")
        talk.line(f"longer: {_longer(info)}")
        print_result(info.result, invocation)
        return info.result
    with _as_data_errors(info.path):
        values = read_stored(read_config(info.path), source=f"{info.path}/config.yaml")
        checked_settings(verb, values)
    settings = checked_settings(verb, _changed(values, changes))
    assert isinstance(settings, FitSettings)
    if isinstance(settings, TrainSettings) and settings.study is not None:
        raise UsageError(f"run {info.id} is a study: it has no steps to go on from", hint="start it again")
    device = choose_device(settings.device)
    make_repeatable(device)
    with catching_signals() as flag:
        run = Run.reopen(info.path)
        with failing(run):
            if isinstance(settings, FinetuneSettings) and settings.compare is not None:
                from dlcli.commands.learning_curve import resume_learning_curve

                if settings.published is None:
                    settings = replace(settings, run=_parent(settings.run, run))
                warn_of_differences(run, device, talk)
                return resume_learning_curve(settings, run, replace(invocation, verb=verb), talk, flag)
            found = newest_good(info.path, talk)
            checkpoint, source = (None, "") if found is None else (found[0], f"{info.path}/checkpoints/{found[1]}")
            estimate = None
            if isinstance(settings, TrainSettings) and settings.folds is not None:
                estimate = resumed_folds(settings, run, device=device, talk=talk, flag=flag)
                settings = after_folds(settings)
            with _as_data_errors(info.path):
                job = _resumed_job(settings, run, checkpoint, device, talk=talk, flag=flag)
            job = job if estimate is None else as_the_folds_chose(job, estimate)
            progress = Progress() if checkpoint is None else restore(job, checkpoint, source=source)
            start = 0 if estimate is None else estimate.metrics_size
            run.rewind_metrics(start if checkpoint is None else metrics_size(checkpoint, source=source))
            warn_of_differences(run, device, talk)
            talk.line(f"resuming {info.id} at step {progress.step} of {job.total_steps}")
            flag.check()
            if settings.lr_find and checkpoint is None and not (run.path / PICTURE).is_file():
                find_rate(run, job, talk=talk, flag=flag)
            own = replace(invocation, verb=verb)
            compare = _comparison(settings, job, talk, flag)
            return fit_and_conclude(run, job, progress, invocation=own, talk=talk, flag=flag, estimate=estimate, compare=compare)


def announce(run: Run, job: Job, talk: Talk) -> None:
    """Prints the one line that says what runs where, and records the data's sizes and notes for whoever reads the run later."""
    bundle, count = job.bundle, sum(parameter.numel() for parameter in job.model.parameters())
    parts = {name: getattr(bundle, name) for name in SPLITS}
    sizes = ", ".join(f"{plain_number(len(part))} {name}" for name, part in parts.items() if part is not None)
    recorded_sizes = {name: len(part) for name, part in parts.items() if part is not None}
    run.describe(data={"sizes": recorded_sizes, "notes": list(bundle.notes)}, parameters=count)
    for note in bundle.notes:
        talk.line(f"data: {note}")
    talk.line(
        f"{describe_device(job.parts.device)} · {bundle.spec.name} {sizes} · "
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


def _job(settings: TrainSettings, start: Loaded | None, device: torch.device, talk: Talk) -> Job:
    """A fit from fresh weights, or from those of another run."""
    bundle = load_bundle(settings)
    with borrowed_rng():
        seed_step(settings.seed, "weights", 0)
        preprocessing = Preprocessing.of(bundle.spec) if start is None else start.checkpoint.preprocessing
        model = assemble(settings.model, bundle.spec, preprocessing)
    if start is not None:
        refuse_mixed_parts(settings.data, start.data, reference=start.reference)
        _start_from(model, start, bundle)
    return prepare(settings, model, bundle, node=settings.model, device=device, talk=talk)


def _start_from(model: Classifier, start: Loaded, bundle: DataBundle) -> None:
    """Copies the weights of ``--from``. Raises UsageError where they belong to other data or another network."""
    try:
        refuse_other_data(bundle, start.checkpoint, source=start.reference)
    except DataError as error:
        other = bundle.spec.name != start.checkpoint.spec.name
        hint = f"dl finetune --run {start.reference} --data {bundle.spec.name}" if other else error.hint
        raise UsageError(f"--from {error.message}", hint=hint) from error
    try:
        load_weights(model, start.checkpoint.weights, source=f"--from {start.reference}")
    except DataError as error:
        raise UsageError(error.message, hint="the same model=… as that run had") from error


def _resumed_job(
    settings: FitSettings, run: Run, checkpoint: Checkpoint | None, device: torch.device, *, talk: Talk, flag: StopFlag
) -> Job:
    """The fit around the network of its checkpoint, which needs no parent any more; as at step 0 where none was written."""
    if checkpoint is not None:
        bundle = load_bundle(settings)
        refuse_other_data(bundle, checkpoint, source=str(run.path))
        model = assemble(checkpoint.node, bundle.spec, checkpoint.preprocessing, source=str(run.path))
        if isinstance(settings, FinetuneSettings):
            # Features of a head that is trained alone are those of the body in the checkpoint.
            load_weights(model, checkpoint.model, source=str(run.path))
            node = checkpoint.node
            return prepare_finetuning(settings, model, bundle, node=node, device=device, talk=talk, check=flag.check)
        return prepare(settings, model, bundle, node=checkpoint.node, device=device, talk=talk)
    if isinstance(settings, FinetuneSettings):
        from dlcli.commands.finetune import finetune_job

        own = settings if settings.published is not None else replace(settings, run=_parent(settings.run, run))
        return finetune_job(own, device, talk, asked=tuple(run.information["overrides"]), check=flag.check).job
    assert isinstance(settings, TrainSettings)
    start = None
    if settings.start_from is not None:
        start = load_model(_parent(settings.start_from, run), which="best", device=device, talk=talk)
    return _job(settings, start, device, talk)


def _comparison(settings: FitSettings, job: Job, talk: Talk, flag: StopFlag) -> Callable[[Predictions], Verdict | None] | None:
    if not isinstance(settings, FinetuneSettings):
        return None
    from dlcli.commands.finetune import comparison

    return comparison(settings, job, talk=talk, flag=flag)


def _parent(reference: str | None, run: Run) -> str:
    """The run that this one started from: ``latest`` and names may mean another one by now, a path does not."""
    return reference if reference is not None and "/" in reference else str(run.information["parent"])


def _longer(info: RunInfo) -> str:
    """The command that trains on from a finished run."""
    left_out = ("trainer.epochs=", "start_from=", "run=", "experiment=")
    own = [str(text) for text in info.information.get("overrides") or []]
    experiment = [text.removeprefix("experiment=") for text in own if text.startswith("experiment=")]
    start = ["--from" if info.verb == "train" else "--run", info.id]
    rest = [text for text in own if not text.startswith(left_out)]
    return rerun_command([info.verb, *experiment, *start, *rest, "trainer.epochs=N"])


@contextlib.contextmanager
def _as_data_errors(path: Path) -> Iterator[None]:
    """Mistakes in what a run folder says are its own, not the user's."""
    try:
        yield
    except ConfigError as error:
        raise DataError(f"{path}/config.yaml: {error.message}", hint=error.hint) from error


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
        try:
            target[last] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"{name}={text} cannot be read as a value", hint=f"{name}=60") from error
    return values
