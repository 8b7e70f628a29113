"""The model and the split that evaluate, attack and explain look at."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dlcli.commands.console import Talk
from dlcli.commands.models import Loaded, data_source, load_model, refuse_other_data
from dlcli.commands.session import plain_number
from dlcli.config.schema import UseSettings
from dlcli.contracts import Split
from dlcli.engine.device import choose_device, describe_device
from dlcli.errors import UsageError


@dataclass(frozen=True)
class Subject:
    """A trained model and the examples to use it on, both on the device."""

    loaded: Loaded
    split: Split
    device: torch.device


def load_subject(settings: UseSettings, talk: Talk) -> Subject:
    """Loads the model that is asked for and its own data's split. Raises UsageError, DataError, StorageError."""
    device = choose_device(settings.device)
    loaded = load_model(settings.run, which=settings.checkpoint, device=device, talk=talk)
    bundle = data_source(loaded.data, source=loaded.reference, workers=settings.workers).load()
    refuse_other_data(bundle, loaded.checkpoint, source=loaded.reference)
    split: Split | None = getattr(bundle, settings.split)
    if split is None:
        raise UsageError(f"{bundle.spec.name} has no {settings.split} data", hint="--split train")
    total = len(split)
    if settings.limit is not None and settings.limit < total:
        split = split.select(torch.arange(settings.limit))
    examples = f"{plain_number(len(split))} of {plain_number(total)} examples"
    talk.line(f"{describe_device(device)} · {bundle.spec.name} {settings.split}: {examples}")
    return Subject(loaded, split.to(device), device)
