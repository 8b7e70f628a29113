"""The model and the split that evaluate, attack and explain look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from dlcli.commands.console import Talk
from dlcli.commands.given_images import given_images
from dlcli.commands.models import Loaded, data_source, load_model, refuse_other_data
from dlcli.commands.other_data import other_data, seen_in_training
from dlcli.commands.session import plain_number
from dlcli.config.schema import UseSettings
from dlcli.contracts import Split
from dlcli.data.memory import MemorySplit
from dlcli.engine.device import choose_device, describe_device
from dlcli.errors import UsageError
from dlcli.models.pretrained import PREFIX, describe


@dataclass(frozen=True)
class Subject:
    """A trained model and the examples to use it on, both on the device.

    Args:
        labelled: the targets are known; else they are the model's own predictions.
    """

    loaded: Loaded
    split: Split
    device: torch.device
    labelled: bool = True


def load_subject(
    settings: UseSettings, talk: Talk, *, other: Mapping[str, Any] | None = None, images: str | None = None
) -> Subject:
    """Loads the model that is asked for and a split of its own data, or of others. Raises UsageError, DataError, StorageError.

    Args:
        other: the node of other data with the model's classes; None for its own.
        images: a file or folder of images without labels, in place of either.
    """
    device = choose_device(settings.device)
    if images is not None:
        loaded = load_model(settings.run, which=settings.checkpoint, device=device, talk=talk)
        own = given_images(images, loaded, limit=settings.limit, batch_size=settings.batch_size, talk=talk)
        talk.line(f"{describe_device(device)} · {plain_number(len(own))} image{'' if len(own) == 1 else 's'}")
        return Subject(loaded, own.to(device), device, labelled=False)
    if other is None and (settings.run or "").startswith(PREFIX):
        raise _without_data(describe(str(settings.run).removeprefix(PREFIX)).reference)
    loaded = load_model(settings.run, which=settings.checkpoint, device=device, talk=talk)
    if other is None:
        name, split = loaded.model.spec.name, _own_split(loaded, settings)
    else:
        found = other_data(other, loaded.checkpoint, trained_on=loaded.data, split=settings.split, workers=settings.workers)
        name, split = found.name, found.split
        for note in found.notes:
            talk.line(f"data: {note}")
        _warn_of_known_rows(split, loaded, talk)
    total = len(split)
    if settings.limit is not None and settings.limit < total:
        split = split.select(torch.arange(settings.limit))
    examples = f"{plain_number(len(split))} of {plain_number(total)} examples"
    talk.line(f"{describe_device(device)} · {name} {settings.split}: {examples}")
    return Subject(loaded, split.to(device), device)


def _warn_of_known_rows(split: Split, loaded: Loaded, talk: Talk) -> None:
    """Says how many rows of another table the model was trained on: they make its figures look better than they are."""
    if loaded.data and isinstance(split, MemorySplit) and split.inputs.ndim == 2:
        train = data_source(loaded.data, source=loaded.reference).load().train
        if count := seen_in_training(split.inputs, train):
            talk.warn(f"{count} of {len(split)} rows are among those that the model was trained on, all cells alike")


def _own_split(loaded: Loaded, settings: UseSettings) -> Split:
    if not loaded.data:
        raise _without_data(loaded.reference)
    bundle = data_source(loaded.data, source=loaded.reference, workers=settings.workers).load()
    refuse_other_data(bundle, loaded.checkpoint, source=loaded.reference)
    split: Split | None = getattr(bundle, settings.split)
    if split is None:
        raise UsageError(f"{bundle.spec.name} has no {settings.split} data", hint="--split train")
    return split


def _without_data(reference: str) -> UsageError:
    return UsageError(f"{reference} brings no data of its own", hint="--images FILE or DIR; dl evaluate has --data DIR")
