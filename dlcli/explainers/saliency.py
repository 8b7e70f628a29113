"""Saliency: which inputs the class logit is most sensitive to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed
from dlcli.explainers.logits import target_logits
from dlcli.randomness import SampleKeys, borrowed_rng


@dataclass(frozen=True, kw_only=True)
class Saliency:
    """The gradient of the class logit with respect to the input (Simonyan et al. 2014, "Deep inside", §3).

    Images: the largest absolute gradient over the channels of a pixel, as in the paper, so never negative.
    Tables: the signed gradient itself, per unit of the column.
    """

    kind: ClassVar[str] = "explainer"

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D); draws nothing."""
        with borrowed(model), borrowed_rng():
            gradient = _input_gradient(model, inputs, targets).float()
        return gradient.abs().amax(dim=1) if inputs.ndim == 4 else gradient


def _input_gradient(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Returns the gradient of each example's target logit with respect to its input, in the shape of ``inputs``."""
    with torch.inference_mode(False), torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        # A layer that works in place may not write into a leaf, hence the second copy.
        wanted = target_logits(model(leaf.clone()), targets.clone()).float().sum()
        if not wanted.requires_grad:
            return torch.zeros_like(inputs)
        return torch.autograd.grad(wanted, leaf, materialize_grads=True)[0]
