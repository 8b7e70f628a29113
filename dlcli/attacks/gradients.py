"""The gradient that attacks climb."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.classifier import class_logits


def loss_gradient(model: nn.Module, inputs: Tensor, classes: Tensor) -> Tensor:
    """Returns the gradient of each example's cross-entropy with respect to its input, in the shape of ``inputs``.

    The loss is summed, so an example's gradient does not depend on the batch it is in; it is computed from float32
    logits. Call it inside :func:`dlcli.classifier.borrowed`; it works under a caller's ``no_grad`` or
    ``inference_mode``. A model whose output does not depend on its input has zero gradient.

    Args:
        model: maps inputs to logits (N, K).
        inputs: (N, ...) in raw units; they stay as they are, even if the model works in place.
        classes: class numbers, int64 (N,).
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        # A layer that works in place may not write into a leaf, hence the second copy.
        logits = class_logits(model(leaf.clone())).float()
        loss = nn.functional.cross_entropy(logits, classes.clone(), reduction="sum")
        if not loss.requires_grad:
            return torch.zeros_like(inputs)
        return torch.autograd.grad(loss, leaf, materialize_grads=True)[0]
