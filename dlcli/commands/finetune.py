"""``dl finetune``: a trained network, its head replaced, trained on other data."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dlcli.commands.conclude import fit_and_conclude
from dlcli.commands.console import Talk
from dlcli.commands.dry_run import dry_run
from dlcli.commands.lr_find import find_rate
from dlcli.commands.models import Loaded, assemble, load_model, load_weights, refuse_mixed_parts
from dlcli.commands.session import recorded
from dlcli.commands.signals import catching_signals
from dlcli.commands.train import announce
from dlcli.commands.training import Job, load_bundle, prepare
from dlcli.config.schema import FinetuneSettings, Invocation
from dlcli.contracts import DataSpec
from dlcli.engine.device import choose_device
from dlcli.engine.state import Progress
from dlcli.errors import UsageError
from dlcli.models.heads import head_name
from dlcli.randomness import borrowed_rng, seed_step
from dlcli.runs.record import Result


@dataclass(frozen=True)
class FinetuneJob:
    """A fit that starts from a trained model.

    Args:
        head: name of the replaced layer, or None where the classes are the same.
    """

    job: Job
    loaded: Loaded
    head: str | None


def finetune(settings: FinetuneSettings, invocation: Invocation) -> Result | None:
    """Adapts a trained network to other data; returns the result, or None for ``--dry-run``."""
    talk = Talk.of(invocation)
    device = choose_device(settings.device)
    # As in train: until there is a step to save, a signal ends the process at once.
    prepared = finetune_job(settings, device, talk)
    job = prepared.job
    with catching_signals() as flag:
        classes = len(job.bundle.spec.classes)
        talk.line(
            f"head '{prepared.head}' replaced by one for {classes} classes; every layer is trained"
            if prepared.head
            else "same classes: the head is kept; every layer is trained"
        )
        if invocation.dry_run:
            dry_run(settings, job, talk)
            return None
        with recorded(
            settings,
            invocation,
            name=job.bundle.spec.name,
            parent=prepared.loaded.reference,
            device=device,
            fast_dev_run=settings.fast_dev_run,
        ) as run:
            announce(run, job, talk)
            if settings.lr_find:
                find_rate(run, job, talk=talk, flag=flag)
            return fit_and_conclude(run, job, Progress(), invocation=invocation, talk=talk, flag=flag)


def finetune_job(settings: FinetuneSettings, device: torch.device, talk: Talk) -> FinetuneJob:
    """Returns the fit: the parent's network and preprocessing, a fresh head where the classes differ."""
    bundle = load_bundle(settings)
    loaded = load_model(settings.run, which=settings.checkpoint, device=torch.device("cpu"), talk=talk)
    parent, spec = loaded.checkpoint, bundle.spec
    _refuse_other_kind(parent.spec, spec, loaded.reference)
    refuse_mixed_parts(settings.data, loaded.data, reference=loaded.reference)
    same = parent.spec.classes == spec.classes and parent.spec.name == spec.name
    node = dict(parent.node) if same else {**parent.node, **({"outputs": None} if "outputs" in parent.node else {})}
    with borrowed_rng():
        seed_step(settings.seed, "head", 0)
        model = assemble(node, spec, parent.preprocessing, source=loaded.reference)
    try:
        head = None if same else f"net.{head_name(model.net)}"
    except ValueError as error:
        raise UsageError(f"{loaded.reference}: {error}", hint="a model whose last layer is torch.nn.Linear") from error
    own = model.state_dict()
    weights = {
        name: own[name] if head is not None and name.startswith(f"{head}.") else tensor for name, tensor in parent.weights.items()
    }
    load_weights(model, weights, source=loaded.reference)
    return FinetuneJob(prepare(settings, model, bundle, node=node, device=device, talk=talk), loaded, head)


def _refuse_other_kind(before: DataSpec, now: DataSpec, reference: str) -> None:
    if before.kind != now.kind:
        raise UsageError(f"{reference} was trained on {before.kind}s, {now.name} holds {now.kind}s", hint="dl list data")
    if before.kind == "table":
        own, theirs = ({column.name: column.categories for column in spec.columns} for spec in (now, before))
        differing = [name for name in {**theirs, **own} if theirs.get(name) != own.get(name)]
        if differing or list(own) != list(theirs):
            where = f"'{differing[0]}' differs" if differing else "they are in another order"
            reason = f"{reference} knows other columns or categories than {now.name}: {where}"
            raise UsageError(reason, hint="the same columns with the same categories, or dl train")
    if before.kind == "image" and now.shape[0] not in {1, before.shape[0]}:
        raise UsageError(
            f"{reference} was trained on images with {before.shape[0]} channel(s), {now.name} has {now.shape[0]}",
            hint="a model trained on colour images",
        )
