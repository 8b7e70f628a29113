"""A model's logits, a loss and its gradient at points: all that an attack sees of a model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.attacks.examples import NOT_FINITE, Examples
from dlcli.attacks.losses import Loss
from dlcli.classifier import ask, class_logits
from dlcli.errors import ComputeError

NO_NUMBER = "the gradient of the model's outputs is not a number, though the outputs are"


@dataclass(frozen=True)
class Look:
    """What a model says at some points.

    Args:
        logits: one column per class, float32 (N, P).
        values: the loss, (N,).
        gradient: of each example's loss with respect to its point, (N, ...); empty where it was not asked for.
    """

    logits: Tensor
    values: Tensor
    gradient: Tensor


def look(model: nn.Module, points: Tensor, examples: Examples, loss: Loss, *, gradient: bool = True) -> Look:
    """Asks ``model`` at ``points``, (N, ...), one for each example; inside :func:`dlcli.attacks.examples.lent`.

    The loss is summed, so an example's gradient does not depend on the batch it is in; it is computed from float32 logits.
    A model whose output does not depend on its input has zero gradient.

    Raises:
        ComputeError: a gradient that is not a number. Its sign is 0, so a step in Linf would pass it over without a word.
    """
    if not gradient:
        # A model may work in place, and the points are needed afterwards.
        logits = class_logits(ask(model, points.clone(), examples.keys.index)).float()
        return Look(logits, loss(logits, examples), points.new_empty(0))
    with torch.enable_grad():
        leaf = points.detach().requires_grad_()
        # A layer that works in place may not write into a leaf, hence the copy.
        logits = class_logits(ask(model, leaf.clone(), examples.keys.index)).float()
        values = loss(logits, examples)
        slope = torch.zeros_like(points)
        if values.requires_grad:
            slope = torch.autograd.grad(values.sum(), leaf, materialize_grads=True)[0]
            if slope.isnan().any():
                raise ComputeError(NO_NUMBER)
    return Look(logits.detach(), values.detach(), slope)


def first_look(model: nn.Module, examples: Examples, loss: Loss, *, gradient: bool = True) -> Look:
    """Asks ``model`` at the unchanged examples.

    Raises:
        ValueError: a class number that the model does not have.
        ComputeError: logits that are not finite.
    """

    def checked(logits: Tensor, examples: Examples) -> Tensor:
        for name, classes in (("targets", examples.targets), ("goals", examples.goals)):
            if classes is not None and len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < logits.shape[1]:
                known, given = logits.shape[1], sorted(set(classes.tolist()))
                raise ValueError(f"{name} must be class numbers from 0 to {known - 1}, got {given[0]} … {given[-1]}")
        if not logits.isfinite().all():
            raise ComputeError(NOT_FINITE)
        return loss(logits, examples)

    return look(model, examples.inputs, examples, checked, gradient=gradient)
