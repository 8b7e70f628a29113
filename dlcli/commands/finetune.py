"""``dl finetune``: a trained network, its head replaced, trained on other data; and whether what it knew has helped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from dlcli.commands.bundle import load_bundle
from dlcli.commands.conclude import fit_and_conclude
from dlcli.commands.console import Talk
from dlcli.commands.dry_run import dry_run
from dlcli.commands.estimate import Estimate, estimate
from dlcli.commands.from_scratch import Verdict, against_from_scratch
from dlcli.commands.learning_curve import learning_curve
from dlcli.commands.lr_find import find_rate
from dlcli.commands.models import load_weights
from dlcli.commands.session import recorded
from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.commands.start import (
    Network,
    Start,
    decoded_for,
    find_start,
    name_of_run,
    network_for,
    refuse_unreadable,
    sides_for,
    with_whole_path,
)
from dlcli.commands.strategy import checked_words, prepare_finetuning
from dlcli.commands.train import announce
from dlcli.commands.training import Job
from dlcli.config.invocation import Invocation
from dlcli.config.schema import FinetuneSettings
from dlcli.contracts import DataBundle, Predictions
from dlcli.engine.cost import measure_cost
from dlcli.engine.device import choose_device, make_repeatable, memory_errors, place
from dlcli.engine.state import Progress
from dlcli.errors import UsageError
from dlcli.models.sizes import takes
from dlcli.runs.record import Result

# Seconds that small images may take by the estimate before they are made smaller still.
PATIENCE = 150.0
PATIENCE_ON_A_GPU = 25.0


@dataclass(frozen=True)
class FinetuneJob:
    """A fit that starts from a trained model.

    Args:
        settings: with the input size that was chosen.
        head: name of the replaced layer, or None where the classes are the same.
        trained: what of the network is trained, in words.
        whole: a backbone's input size and how long all will take, in words.
    """

    job: Job
    start: Start
    head: str | None
    settings: FinetuneSettings
    trained: str
    whole: str = ""


def finetune(settings: FinetuneSettings, invocation: Invocation) -> Result | None:
    """Adapts a trained network to other data; returns the result, or None for ``--dry-run``."""
    if settings.compare is not None:
        return learning_curve(settings, invocation)
    talk = Talk.of(invocation)
    device = choose_device(settings.device)
    make_repeatable(device)
    # As in train: until there is a step to save, a signal ends the process at once.
    prepared = finetune_job(settings, device, talk, asked=invocation.overrides)
    invocation = _exact(invocation, asked=settings.size, chosen=prepared.settings.size)
    job, settings = prepared.job, prepared.settings
    with catching_signals() as flag:
        if invocation.dry_run:
            dry_run(settings, job, talk, whole=prepared.whole)
            return None
        name = name_of_run(settings.backbone) if settings.backbone is not None else job.bundle.spec.name
        with recorded(
            settings,
            invocation,
            name=name,
            parent=prepared.start.reference,
            device=device,
            fast_dev_run=settings.fast_dev_run,
        ) as run:
            run.describe(**describe(prepared))
            announce(run, job, talk)
            if settings.lr_find:
                find_rate(run, job, talk=talk, flag=flag)
            compare = comparison(settings, job, talk=talk, flag=flag)
            return fit_and_conclude(run, job, Progress(), invocation=invocation, talk=talk, flag=flag, compare=compare)


def _exact(invocation: Invocation, *, asked: int | None, chosen: int | None) -> Invocation:
    """The invocation with the size that was chosen by how fast the machine was just then: its command repeats the run."""
    if asked is not None or chosen is None:
        return invocation
    return replace(invocation, arguments=(*invocation.arguments, "--size", str(chosen)))


def finetune_job(
    settings: FinetuneSettings,
    device: torch.device,
    talk: Talk,
    *,
    asked: tuple[str, ...] = (),
    check: Callable[[], None] = lambda: None,
) -> FinetuneJob:
    """Returns the fit: the start's network and preprocessing, and a fresh head where the classes differ.

    Args:
        asked: overrides that somebody typed; sizes and epochs that they name are not chosen here.
        check: may raise to stop while features are computed (a signal).
    """
    chosen = next((text for text in asked if text.startswith("strategy")), None)
    if settings.is_random and chosen is not None:
        raise UsageError(
            f"{chosen}: random weights know nothing that a strategy could keep", hint="leave it out, or --weights imagenet"
        )
    settings = with_whole_path(settings)
    start = find_start(settings, talk)
    settings = decoded_for(start, settings, asked)
    bundle = load_bundle(settings)
    waits = any(text.startswith("trainer.patience=") for text in asked)
    if bundle.val is None and not waits:  # nothing to wait for, and nobody asked for it
        settings = replace(settings, trainer=replace(settings.trainer, patience=None))
    lengths = ("trainer=", "trainer.epochs=", "trainer.patience=")
    # trainer=transfer is the recipe's own, which nobody need have typed.
    if settings.strategy.last == 0 and any(text.startswith(lengths) and text != "trainer=transfer" for text in asked):
        settings = replace(settings, strategy=replace(settings.strategy, probe_epochs=0))
    sides = _sides(start, bundle, settings)
    network = network_for(start, bundle.spec, settings, side=sides[0])
    # Weights and strategy are looked at before anything that takes time.
    load_weights(network.model, start.weights(network.model, network.head), source=start.name)
    trained = checked_words(settings, network.model, examples=len(bundle.train))
    network, settings, whole = _sized(network, start, sides, bundle, settings, device=device, talk=talk)
    replaced = f"head '{network.head}' replaced by one for {len(bundle.spec.classes)} classes"
    talk.line(replaced if network.head else "same classes: the head is kept")
    talk.line(trained)
    job = prepare_finetuning(settings, network.model, bundle, node=network.node, device=device, talk=talk, check=check)
    return FinetuneJob(job, start, network.head, settings, trained, whole)


def comparison(
    settings: FinetuneSettings, job: Job, *, talk: Talk, flag: StopFlag
) -> Callable[[Predictions], Verdict | None] | None:
    """Returns what answers whether pretraining helped, or None where that is not asked."""
    if not settings.has_baseline:
        return None
    return partial(against_from_scratch, settings, job, talk=talk, flag=flag)


def describe(prepared: FinetuneJob) -> dict[str, Any]:
    """Returns what ``run.json`` says of the weights, of what was replaced and of what is trained."""
    return {"origin": {**prepared.start.origin, "replaced": prepared.head, "trained": prepared.trained}}


def _sides(start: Start, bundle: DataBundle, settings: FinetuneSettings) -> Sequence[int | None]:
    """The input sides to choose from, the preferred one first; None alone where the start is a model of ours."""
    if start.spec is not None:
        return [None]
    refuse_unreadable(start, bundle.spec)
    return sides_for(start, bundle.spec, settings.size)


def _sized(
    network: Network,
    start: Start,
    sides: Sequence[int | None],
    bundle: DataBundle,
    settings: FinetuneSettings,
    *,
    device: torch.device,
    talk: Talk,
) -> tuple[Network, FinetuneSettings, str]:
    """The network at the size that was asked for or chosen, with a line that says which and how long it will take."""
    side = sides[0]
    if side is None:
        return network, settings, ""
    limit = PATIENCE_ON_A_GPU if device.type == "cuda" else PATIENCE
    found = _estimate(network, settings, bundle, device)
    for smaller in sides[1:]:
        fits = smaller is not None and takes(network.model.net, (start.preprocessing.shape[0], smaller, smaller))
        if found.seconds <= limit or not fits:
            break
        talk.line(f"at {side} px {found.words()}, more than {limit:.0f} s: taking {smaller} px; --size {side} keeps it")
        side, larger = smaller, network
        network = network_for(start, bundle.spec, settings, side=side)
        load_weights(network.model, larger.model.state_dict(), source=start.name)
        found = _estimate(network, settings, bundle, device)
    whole = f"images are seen at {side} x {side} px · estimate: {found.words()}"
    talk.line(whole)
    return network, replace(settings, size=side), whole


def _estimate(network: Network, settings: FinetuneSettings, bundle: DataBundle, device: torch.device) -> Estimate:
    place(network.model, device)
    batch = settings.trainer.batch_size
    with memory_errors(f"training with batches of {batch}", f"trainer.batch_size={max(1, batch // 4)}, or a smaller size=…"):
        cost = measure_cost(
            network.model, bundle.train.to(device), batch_size=batch, precision=settings.trainer.precision, device=device
        )
    return estimate(cost, settings, bundle)
