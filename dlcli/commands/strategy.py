"""What finetuning trains and when: the strategy of the configuration, applied to one network."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from dlcli.classifier import Classifier
from dlcli.commands.best_epoch import fit_and_keep_best
from dlcli.commands.console import Talk
from dlcli.commands.from_scratch import prepare_from_scratch
from dlcli.commands.probe import on_features
from dlcli.commands.signals import StopFlag
from dlcli.commands.training import Job, plan_of, prepare
from dlcli.config.nested import StrategySettings
from dlcli.config.schema import FinetuneSettings
from dlcli.contracts import DataBundle
from dlcli.engine.evaluate import evaluate, joined
from dlcli.errors import UsageError
from dlcli.metrics.accuracy import accuracy
from dlcli.models.heads import head_name
from dlcli.models.stages import Stage, stages_of
from dlcli.optim.thawing import Thawing
from dlcli.randomness import key

_SEEDS = 2**31
_MOST_NAMED = 3
_NO_AUGMENT = {"_target_": "dlcli.augment.identity.Identity"}


@dataclass(frozen=True)
class Layout:
    """The stages of a classifier and what a strategy makes of them.

    Args:
        stages: nearest to the input first, the head last, with names inside the classifier.
        first: number of the first stage that is ever trained.
        strategy: of the configuration.
    """

    stages: tuple[Stage, ...]
    first: int
    strategy: StrategySettings

    @property
    def head(self) -> str:
        return self.stages[-1].name

    @property
    def trains_head_alone(self) -> bool:
        return self.first == len(self.stages) - 1 > 0

    def rates(self) -> dict[str, float]:
        """Returns each parameter's share of the learning rate."""
        last = len(self.stages) - 1
        own = {number: self.strategy.body_lr * self.strategy.stage_decay ** (last - 1 - number) for number in range(last)}
        return {name: own.get(number, 1.0) for number, stage in enumerate(self.stages) for name in stage.parameters}

    def wait(self, steps_per_epoch: int, epochs: int) -> int:
        """Returns the steps from one stage's start to the next one's, so few that every stage has as many."""
        asked = steps_per_epoch * (self.strategy.stage_epochs or 0)
        return min(asked, steps_per_epoch * epochs // (len(self.stages) - self.first))

    def refuse_no_wait(self, steps_per_epoch: int, epochs: int) -> None:
        """Raises UsageError where stages are to begin one after the other and there are more of them than steps."""
        if self.strategy.stage_epochs and not self.wait(steps_per_epoch, epochs):
            stages, steps = len(self.stages) - self.first, steps_per_epoch * epochs
            reason = f"strategy.stage_epochs={self.strategy.stage_epochs}: {steps} steps are too few for {stages} stages"
            needed = math.ceil(stages / steps_per_epoch)
            raise UsageError(f"{reason} to begin one after the other", hint=f"--epochs {needed} or more, or --strategy last-2")

    def thawing(self, steps_per_epoch: int, epochs: int) -> Thawing:
        """Returns which parameters are trained from which step on; stages follow sooner where the epochs would not reach all."""
        last, wait = len(self.stages) - 1, self.wait(steps_per_epoch, epochs)
        begins = {
            name: wait * (last - number)
            for number, stage in enumerate(self.stages)
            if number >= self.first
            for name in stage.parameters
        }
        return Thawing(begins=begins, keep_statistics=self.strategy.batch_norm == "frozen")

    def words(self, steps_per_epoch: int | None = None, epochs: int = 0) -> str:
        """Returns in words what is trained and what is frozen.

        Args:
            steps_per_epoch: None where stages begin one after the other and fits of several lengths are meant.
        """
        names = [f"'{stage.name.removeprefix('net.').removeprefix('net.')}'" for stage in self.stages]
        *body, head = names
        if self.trains_head_alone:
            return f"trained: the head {head} alone; frozen: all {len(body)} stages before it"
        which = f"all {len(body)} stages" if self.first == 0 else f"the last {_listed(body[self.first :], len(body), ends=',')}"
        said = [f"trained: the head {head} and {which} before it"]
        if self.strategy.body_lr != 1:
            said.append(f"these at {self.strategy.body_lr:g} of the head's rate")
        if self.strategy.stage_epochs:
            said.append(self._rhythm(self.strategy.stage_epochs, steps_per_epoch, epochs))
        if self.strategy.batch_norm == "frozen":
            said.append("batch norm's statistics kept")
        frozen = f"; frozen: {_listed(body[: self.first], len(body))}" if self.first else ""
        return ", ".join(said) + frozen

    def _rhythm(self, asked: int, steps_per_epoch: int | None, epochs: int) -> str:
        """When each stage begins, as it will be and not as it was asked for where the two differ."""
        each = "epoch" if asked == 1 else f"{asked} epochs"
        if steps_per_epoch is None:
            return f"one stage more after every {each} from the head down, or sooner, to reach all"
        wait = self.wait(steps_per_epoch, epochs)
        steps = "step" if wait == 1 else f"{wait} steps"
        said = f"one stage more after every {steps} from the head down"
        if wait == asked * steps_per_epoch:
            return f"{said} ({asked} epoch{'s' if asked > 1 else ''})"
        return f"{said} (strategy.stage_epochs={asked} would be {asked * steps_per_epoch} steps, too long to reach all)"


def _listed(names: Sequence[str], total: int, *, ends: str = "") -> str:
    """A few stages by their names, more as a count."""
    if len(names) > _MOST_NAMED:
        return f"{len(names)} of {total} stages"
    return f"{len(names)}, {', '.join(names)}{ends}" if ends else ", ".join(names)


def layout_of(model: Classifier, strategy: StrategySettings) -> Layout:
    """Returns the stages of a classifier under a strategy. Raises UsageError where it has no head, or too few stages."""
    try:
        found = stages_of(model.net, head_name(model.net))
    except ValueError as error:
        raise UsageError(str(error), hint="a network whose last layer is torch.nn.Linear") from error
    stages = tuple(Stage(f"net.{stage.name}", tuple(f"net.{name}" for name in stage.parameters)) for stage in found)
    body = len(stages) - 1
    if strategy.last is not None and strategy.last > body:
        ends = f"'{found[0].name}' to '{found[-2].name}'"
        reason = f"--strategy last-{strategy.last}: before its head the network has {body} stages, {ends}"
        raise UsageError(reason, hint=f"--strategy last-{body}, or full")
    return Layout(stages, 0 if strategy.last is None else body - strategy.last, strategy)


def checked_words(settings: FinetuneSettings, model: Classifier, *, examples: int) -> str:
    """Returns in words what will be trained of a network on so many examples.

    Raises:
        UsageError: it has no head or too few stages, or stages are to begin one after the other within too few steps.
    """
    if settings.is_random:
        return "trained: all layers, from random weights"
    layout, steps = layout_of(model, settings.strategy), plan_of(settings).steps_per_epoch(examples)
    if settings.fast_dev_run:
        return layout.words()
    layout.refuse_no_wait(steps, settings.trainer.epochs)
    return layout.words(steps, settings.trainer.epochs)


def prepare_finetuning(
    settings: FinetuneSettings,
    model: Classifier,
    bundle: DataBundle,
    *,
    node: Mapping[str, Any],
    device: torch.device,
    talk: Talk,
    check: Callable[[], None] = lambda: None,
) -> Job:
    """Returns a fit as the strategy wants it. A head that is trained alone is trained on features that are computed once.

    The start is judged, too: where no epoch is better on val, its weights are kept.

    Args:
        check: may raise to stop while features are computed (a signal).

    Random weights know nothing that a strategy could keep: all of them are trained as from scratch.

    Raises:
        ConfigError, UsageError: settings that do not go together, or not with these data.
    """
    if settings.is_random:
        return prepare_from_scratch(settings, model, bundle, node=node, device=device, talk=talk)
    layout = layout_of(model, settings.strategy)
    trained = {name for stage in layout.stages[layout.first :] for name in stage.parameters}
    _freeze_but(model, trained)
    if layout.trains_head_alone:
        settings = with_probe_epochs(settings)
    job = prepare(settings, model, bundle, node=node, device=device, talk=talk, rates=layout.rates())
    if layout.trains_head_alone:
        _refuse_on_features(settings, job)
        return on_features(job, layout.head, talk=talk, check=check)
    job = replace(job, plan=replace(job.plan, score_start=True))
    job.parts.thaw = layout.thawing(job.plan.steps_per_epoch(len(job.parts.train)), job.plan.epochs)
    epochs = settings.strategy.probe_epochs
    if not epochs or layout.first == len(layout.stages) - 1:
        return job

    def train_head(talk: Talk, flag: StopFlag) -> None:
        _train_head(settings, job, layout.head, 1 if settings.fast_dev_run else epochs, talk=talk, flag=flag)
        if job.parts.average is not None:  # it began with the head that was random
            job.parts.average.load(job.model.state_dict())

    # What gives its logits otherwise, such as a convolution, has no features and is not trained first.
    alone = isinstance(model.get_submodule(layout.head), nn.Linear)
    return replace(job, begin=train_head, start="the head alone" if alone else job.start)


def with_probe_epochs(settings: FinetuneSettings) -> FinetuneSettings:
    """Returns the settings of a head that is trained alone: the strategy's own epochs, all of them, since they cost little."""
    epochs = settings.strategy.probe_epochs
    return replace(settings, trainer=replace(settings.trainer, epochs=epochs, patience=None)) if epochs else settings


def _freeze_but(model: Classifier, trained: Collection[str]) -> None:
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)


def head_job(
    settings: FinetuneSettings,
    model: Classifier,
    bundle: DataBundle,
    *,
    node: Mapping[str, Any],
    head: str,
    epochs: int,
    device: torch.device,
) -> Job:
    """Returns the fit of the head alone, to be done on features: fixed in length, without augmentation, adversary or averaged
    weights."""
    _freeze_but(model, [name for name, _ in model.named_parameters() if name.startswith(f"{head}.")])
    trainer = replace(
        settings.trainer, epochs=epochs, patience=None, ema=None, watch=False, compile=False, max_time=None, save_every=None
    )
    seed = key(settings.seed, "probe") % _SEEDS
    own = replace(settings, trainer=trainer, seed=seed, augment=_NO_AUGMENT, adversary=None, fast_dev_run=False)
    return prepare(own, model, bundle, node=node, device=device, talk=Talk(quiet=True))


def _train_head(settings: FinetuneSettings, job: Job, head: str, epochs: int, *, talk: Talk, flag: StopFlag) -> None:
    """Trains the head alone to start from: a body that moves while its head is random moves the wrong way.

    Kumar et al. 2022, "Fine-tuning can distort pretrained features and underperform out-of-distribution", §3.4 (LP-FT).
    """
    started = time.perf_counter()
    alone = head_job(settings, job.model, job.bundle, node=job.node, head=head, epochs=epochs, device=job.parts.device)
    try:
        alone = on_features(alone, head, talk=talk, check=flag.check)
    except UsageError as error:
        talk.line(f"{error.message}: it is trained with all that is before it from the first step on")
        return
    best = fit_and_keep_best(alone, flag)
    figure = ""
    if alone.parts.val is not None and alone.parts.evaluated is not None:
        own_val = joined(evaluate(alone.parts.evaluated, alone.parts.val, batch_size=settings.trainer.eval_batch_size))
        figure = f", val accuracy {100 * accuracy(own_val).value:.2f} %"
    seconds = time.perf_counter() - started
    talk.line(
        f"head alone on features computed once: epoch {best} of {epochs}{figure} · {seconds:.1f} s; now the layers before it, too"
    )


def _refuse_on_features(settings: FinetuneSettings, job: Job) -> None:
    """Raises UsageError for what needs the whole network where only its head is run."""
    if settings.augment != _NO_AUGMENT:
        raise UsageError(
            "features are computed once, from images as they are: augment has no place", hint="augment=none, or strategy=full"
        )
    if job.parts.objective.threat is not None:
        raise UsageError("an adversary changes images, and a linear probe sees features of them", hint="strategy=full")
    for key_, on in (("lr_find", settings.lr_find), ("trainer.watch", settings.trainer.watch)):
        if on:
            raise UsageError(f"{key_} looks at a whole network, and a linear probe trains its head alone", hint="strategy=full")
