"""What makes an attack pointless, found before it begins."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.classifier import ask, predicted_classes
from dlcli.config.catalog import entries
from dlcli.config.schema import AttackSettings
from dlcli.contracts import Attack, DataSpec, Split
from dlcli.data.memory import MemorySplit
from dlcli.engine.perturb import perturb
from dlcli.engine.slope import has_gradient
from dlcli.errors import DataError, UsageError

_PROBED = 64
# They ask for answers only; those that there are, are named.
_WITHOUT_GRADIENT = ("square", "hopskipjump", "spatial", "noise")

# Roots' keys that mean something for a report of all attacks only, and for one attack only.
_OF_REPORT = ("budget", "against")
_OF_ONE_ATTACK = ("targeted", "source", "immutable", "save_examples")


def refuse_keys_of_another(settings: AttackSettings) -> None:
    """Raises UsageError for what belongs to a report where one attack was asked for, and the other way round."""
    is_report = settings.study is not None
    keys, place = (_OF_ONE_ATTACK, "one attack: dl attack pgd") if is_report else (_OF_REPORT, "a report: dl attack report")
    for key in keys:
        if (value := getattr(settings, key)) is not None:
            what, command = place.split(": ")
            raise UsageError(f"{key}={value} belongs to {what}", hint=f"{command} --{key.replace('_', '-')} …")


def refuse_one_class(spec: DataSpec, *, name: str) -> None:
    """Raises DataError for a model that has nothing to take an example for but one class."""
    if len(spec.classes) < 2:
        raise DataError(
            f"{name} knows {len(spec.classes)} class, so nothing can be taken for another", hint="a model of two or more"
        )


def refuse_without_gradient(model: nn.Module, attack: Attack, split: Split, *, name: str, at_most: int = _PROBED) -> None:
    """Raises UsageError where an attack follows gradients and the model has none at the first examples, 64 and ``at_most``.

    Whether it follows them is seen where it matters only: from what it asks of one example.
    """
    order = torch.arange(min(len(split), at_most, _PROBED))
    batch = next(iter(split.batches(order, _PROBED)), None)
    if batch is None or has_gradient(model, batch.inputs, batch.index):
        return
    if _asks_for_gradients(model, attack, batch.inputs[:1], batch.index[:1]):
        others = [each for each in _WITHOUT_GRADIENT if each in entries("attack")]
        raise UsageError(
            f"{name} has no gradient at any of {len(order)} examples, and {type(attack).__name__} follows it",
            hint=f"{', '.join(others[:-1])} or {others[-1]}: they look at answers only",
        )


def _asks_for_gradients(model: nn.Module, attack: Attack, example: Tensor, index: Tensor) -> bool:
    """Whether an attack on one example, (1, ...), gives the model a point to be differentiated at."""
    asked: list[bool] = []
    # Attacks leave alone what is wrong already, so its own prediction stands for the class.
    with torch.no_grad():
        one = MemorySplit(example, predicted_classes(ask(model, example, index)), index=index)
    handle = model.register_forward_pre_hook(lambda _, inputs: asked.append(inputs[0].requires_grad))
    try:
        next(perturb(model, attack, one, batch_size=1, seed=0))
    finally:
        handle.remove()
    return any(asked)
