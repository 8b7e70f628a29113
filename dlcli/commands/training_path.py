"""The way of training through weight space: from a run's checkpoints, else from a short training that repeats its beginning."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from dlcli.checkpoint import unpack
from dlcli.classifier import Classifier, Preprocessing
from dlcli.commands.bundle import load_bundle
from dlcli.commands.console import Talk
from dlcli.commands.models import Loaded, assemble, rebuild
from dlcli.commands.training import prepare
from dlcli.commands.untrained import untrained
from dlcli.config.compose import compose
from dlcli.config.schema import TrainSettings, checked_settings
from dlcli.config.stored import read_stored
from dlcli.engine.device import place
from dlcli.engine.fit import fit
from dlcli.engine.landscape import Weights, weights_of
from dlcli.engine.reports import StepReport
from dlcli.engine.state import Progress
from dlcli.randomness import borrowed_rng, seed_step
from dlcli.runs.find import BUILTIN, RunInfo, find_model
from dlcli.runs.run import checkpoint_names, read_checkpoint, read_config

_ENOUGH = 5  # checkpoints
_POINTS = 25  # of a replay, its start among them
_RECIPE = "experiment=mnist_best"  # of the shipped model


@dataclass(frozen=True, eq=False)
class TrainingPath:
    """Where training came along.

    Args:
        points: weights by name, the first ones first.
        model: the network at the path's end.
        words: where the path is from.
    """

    points: Sequence[Weights]
    model: Classifier
    words: str


def own_settings(loaded: Loaded) -> TrainSettings | None:
    """Returns the settings that a model was trained with; None where it was not made by ``dl train`` alone."""
    if loaded.reference == BUILTIN:
        settings = checked_settings("train", compose("train", [_RECIPE]))
    else:
        run = find_model(loaded.reference)
        if not isinstance(run, RunInfo) or run.verb != "train":
            return None
        settings = checked_settings("train", read_stored(read_config(run.path), source=f"{run.path}/config.yaml"))
    assert isinstance(settings, TrainSettings)
    return settings if settings.start_from is None else None


def training_path(
    loaded: Loaded, *, steps: int, device: torch.device, check: Callable[[], None] = lambda: None
) -> TrainingPath | None:
    """Returns the way of training; None where neither checkpoints nor a configuration tell it, or ``steps`` is 0.

    A run with five checkpoints or more is shown by them. Of others the beginning is trained again: the same configuration and
    seed, as many steps as ``steps``, with the learning rates of so short a training.
    """
    settings = own_settings(loaded)
    if settings is None:
        return None
    stored = _from_checkpoints(loaded, settings, device=device)
    if stored is not None or steps < 1:
        return stored
    return _replayed(settings, steps, device=device, check=check)


def _from_checkpoints(loaded: Loaded, settings: TrainSettings, *, device: torch.device) -> TrainingPath | None:
    run = find_model(loaded.reference)
    names = checkpoint_names(run.path) if isinstance(run, RunInfo) else []
    if not isinstance(run, RunInfo) or len(names) < _ENOUGH:
        return None
    models = [untrained(loaded, seed=settings.seed)]
    for name in names:
        source = f"{run.path}/checkpoints/{name}"
        model = place(rebuild(unpack(read_checkpoint(run.path, name), source=source), source=source), device)
        assert isinstance(model, Classifier)
        models.append(model.eval())
    return TrainingPath([weights_of(model) for model in models], models[-1], f"the run's own {len(names)} checkpoints")


def _replayed(settings: TrainSettings, steps: int, *, device: torch.device, check: Callable[[], None]) -> TrainingPath:
    batch = settings.trainer.batch_size * settings.trainer.accumulate
    bundle = load_bundle(replace(settings, limit_train=None, overfit=None, fast_dev_run=False))
    epochs = math.ceil(steps * batch / len(bundle.train))
    if epochs == 1 and steps * batch < len(bundle.train):
        settings = replace(settings, limit_train=steps * batch, overfit=None, fast_dev_run=False)
        bundle = load_bundle(settings)
    trainer = replace(settings.trainer, epochs=epochs, log_every=max(1, steps // (_POINTS - 1)), patience=None, watch=False)
    settings = replace(settings, trainer=replace(trainer, ema=None, save_every=None, compile=False, max_time=None))
    with borrowed_rng():
        seed_step(settings.seed, "weights", 0)
        model = assemble(settings.model, bundle.spec, Preprocessing.of(bundle.spec))
        # No validation, so no epoch is chosen: the way goes on to its end.
        job = prepare(
            settings, model, replace(bundle, val=None, test=None), node=settings.model, device=device, talk=Talk(quiet=True)
        )
        points = [weights_of(model)]
        progress = Progress()
        for report in fit(job.parts, job.plan, progress):
            check()
            if isinstance(report, StepReport):
                points.append(weights_of(model))
        points.append(weights_of(model))
        taken = progress.step
    words = f"a short training of {taken} steps from its own configuration, repeated for this picture"
    return TrainingPath(points, model.eval(), words)
