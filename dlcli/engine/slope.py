"""Whether a model has a gradient at all, seen from its inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.classifier import ask, borrowed, class_logits
from dlcli.randomness import borrowed_rng


def has_gradient(model: nn.Module, inputs: Tensor, index: Tensor) -> bool:
    """Returns whether the log-odds of the predicted class rise or fall with any number of any of ``inputs``, (N, ...).

    They depend on all logits and do not saturate where softmax does. Where they depend on no input, as behind a hard threshold,
    or their slope is exactly zero everywhere, the answer is no; a slope that is not finite counts as one.

    Args:
        index: the inputs' positions, int64 (N,), for a model that answers by example.
    """
    with torch.inference_mode(False), torch.enable_grad(), borrowed(model), borrowed_rng():
        leaf = inputs.detach().clone().requires_grad_()
        logits = class_logits(ask(model, leaf.clone(), index)).float()
        if not logits.requires_grad:
            return False
        predicted = logits.argmax(dim=1, keepdim=True)
        odds = logits.gather(1, predicted) - logits.scatter(1, predicted, -torch.inf).logsumexp(dim=1, keepdim=True)
        (slope,) = torch.autograd.grad(odds.sum(), leaf, materialize_grads=True)
        return bool((slope != 0).any())
