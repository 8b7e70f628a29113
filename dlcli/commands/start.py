"""What finetuning starts from: a trained model of ours, or a backbone with published weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcli.classifier import Classifier, Preprocessing
from dlcli.commands.backbone import load_backbone, refuse_other_size, start_weights
from dlcli.commands.console import Talk
from dlcli.commands.models import assemble, load_model, refuse_mixed_parts
from dlcli.config.schema import FinetuneSettings
from dlcli.contracts import DataSpec
from dlcli.errors import ConfigError, UsageError
from dlcli.models.heads import head_name
from dlcli.models.pretrained import PREFIX
from dlcli.randomness import borrowed_rng, seed_step
from dlcli.runs.given_weights import is_path

_SMALL = 64  # pixels: images up to here are enlarged
_ENLARGED = 96


@dataclass(frozen=True, kw_only=True)
class Start:
    """A network to go on from.

    Args:
        node: the configuration that builds it for its own classes.
        preprocessing: what belongs before it.
        weights: (model, head) → all of the model's weights, those of ``head`` as the model has them; None keeps a head whose
            classes are the same.
        reference: the run's ``parent``, or None.
        name: what messages call it.
        spec: of the data that it was trained on; None for a backbone, whose classes never stay.
        data: the node of those data, empty where they are not here.
        origin: what ``run.json`` says of the weights.
        one_size: it takes images of its preprocessing's size alone.
    """

    node: Mapping[str, Any]
    preprocessing: Preprocessing
    weights: Callable[[Classifier, str | None], Mapping[str, Tensor]]
    reference: str | None
    name: str
    spec: DataSpec | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    one_size: bool = False


@dataclass(frozen=True)
class Network:
    """A classifier for new data.

    Args:
        model: with the start's weights.
        node: the configuration that builds its network.
        head: dotted name of the replaced layer, or None where the classes are the same.
    """

    model: Classifier
    node: Mapping[str, Any]
    head: str | None


def find_start(settings: FinetuneSettings, talk: Talk) -> Start:
    """Returns what the settings name: ``backbone``, ``run=pretrained:NAME``, or a model of ours.

    Raises:
        UsageError: there is no such network or run. StorageError: the weights are not here and cannot be reached.
        DataError: a damaged file, or weights of another network.
    """
    backbone = settings.backbone
    if backbone is None and settings.run is not None and settings.run.startswith(PREFIX):
        backbone = settings.run.removeprefix(PREFIX)
    if backbone is None:
        return _of_run(settings, talk)
    found = load_backbone(backbone, settings.weights, talk, size=settings.size)

    def weights(model: Classifier, head: str | None) -> Mapping[str, Tensor]:
        assert head is not None
        return start_weights(found, model, head=head, talk=talk)

    return Start(
        node=found.published.node,
        preprocessing=found.published.preprocessing,
        weights=weights,
        reference=found.reference,
        name=found.source,
        origin=found.origin,
        one_size=found.published.one_size,
    )


def with_whole_path(settings: FinetuneSettings) -> FinetuneSettings:
    """Returns settings whose weights, where they are a file, are found from other folders too: a run may be resumed there."""
    if not is_path(settings.weights):
        return settings
    try:
        return replace(settings, weights=str(Path(settings.weights).expanduser().absolute()))
    except RuntimeError:  # "~name" of nobody: said where the file is read
        return settings


def name_of_run(backbone: str) -> str:
    """Returns a backbone's name as a folder may have it."""
    return re.sub(r"[:/@]", "-", backbone)


def decoded_for(start: Start, settings: FinetuneSettings, asked: Collection[str]) -> FinetuneSettings:
    """Returns settings whose photos are decoded at the size that a backbone wants of them.

    Args:
        asked: overrides that somebody typed; a size that they name stays.
    """
    if start.spec is not None or "size" not in settings.data or any(text.startswith("data.size=") for text in asked):
        return settings
    return replace(settings, data={**settings.data, "size": settings.size or start.preprocessing.shape[1]})


def _of_run(settings: FinetuneSettings, talk: Talk) -> Start:
    loaded = load_model(settings.run, which=settings.checkpoint, device=torch.device("cpu"), talk=talk)
    parent = loaded.checkpoint

    def weights(model: Classifier, head: str | None) -> Mapping[str, Tensor]:
        own = model.state_dict()
        return {name: own[name] if head and name.startswith(f"{head}.") else tensor for name, tensor in parent.weights.items()}

    return Start(
        node=parent.node,
        preprocessing=parent.preprocessing,
        weights=weights,
        reference=loaded.reference,
        name=loaded.reference,
        spec=parent.spec,
        data=loaded.data,
    )


def network_for(start: Start, spec: DataSpec, settings: FinetuneSettings, *, side: int | None = None) -> Network:
    """Returns the start's network for new data, its weights not yet loaded; a head for other classes is fresh.

    Args:
        side: pixels along each side of what the network sees; None leaves the start's own.

    Raises:
        UsageError: it holds other things than these data, or cannot take images of that size.
    """
    if start.spec is not None:
        _refuse_other_kind(start.spec, spec, start.name)
        refuse_mixed_parts(settings.data, start.data, reference=start.name)
    else:
        refuse_unreadable(start, spec)
    same = start.spec is not None and (start.spec.classes, start.spec.name) == (spec.classes, spec.name)
    node = dict(start.node) if same else {**start.node, **({"outputs": None} if "outputs" in start.node else {})}
    preprocessing = start.preprocessing if side is None else at_side(start.preprocessing, side)
    with borrowed_rng():
        seed_step(settings.seed, "head", 0)
        try:
            model = assemble(node, spec, preprocessing, source=start.name if start.spec is not None else None)
        except ConfigError as error:
            if start.spec is not None:
                raise
            raise UsageError(f"{start.name}: {error.message}", hint=f"--size {_ENLARGED}") from error
    try:
        head = None if same else f"net.{head_name(model.net)}"
    except ValueError as error:
        raise UsageError(f"{start.name}: {error}", hint="a model whose last layer is torch.nn.Linear") from error
    return Network(model, node, head)


def at_side(preprocessing: Preprocessing, side: int) -> Preprocessing:
    """Returns the preprocessing with squares of ``side`` pixels, to which whole images are stretched: nothing is cut off."""
    return replace(preprocessing, shape=(preprocessing.shape[0], side, side), resize=None)


def sides_for(start: Start, spec: DataSpec, asked: int | None = None) -> list[int]:
    """Returns the input sides to choose from for a backbone, the preferred one first.

    Images of up to 64 pixels are enlarged to 96, or to 64 where that takes too long: at a network's own 224 pixels they cost five
    times as much. Larger images keep their side up to the network's own. A network of one size gets its own.

    Args:
        asked: the side that somebody wants, which is then the only one.

    Raises:
        UsageError: another size is asked of a network that takes one alone.
    """
    own, largest = start.preprocessing.shape[1], max(spec.shape[1:])
    if start.one_size:
        refuse_other_size(start.name, own, asked)
        return [own]
    if asked is not None:
        return [asked]
    return [_ENLARGED, _SMALL] if largest <= _SMALL else [min(own, largest)]


def refuse_unreadable(start: Start, spec: DataSpec) -> None:
    """Raises UsageError where the data are no images that a backbone can see."""
    if spec.kind != "image":
        raise UsageError(f"{start.name} reads images, {spec.name} holds {spec.kind}s", hint="dl list data")
    if spec.shape[0] not in {1, 3}:
        reason = f"{start.name} reads grey or colour images, those of {spec.name} have {spec.shape[0]} channels"
        raise UsageError(reason, hint="dl list data")


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
