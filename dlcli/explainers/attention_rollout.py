"""Attention rollout: which patches reach the head through all layers of attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.explainers.attention import attention_weights
from dlcli.explainers.cut import enlarged
from dlcli.explainers.logits import target_logits
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class AttentionRollout:
    """Attention rollout (Abnar and Zuidema 2020, equation 1): the product over layers of (W + I) / 2.

    W is the mean over heads of a layer's attention, I stands for the shortcut around it, and rows sum to 1. Of a network with
    a class token the map is that token's row, without the words that are no patches; of one that takes the mean over patches it
    is the mean over rows. It asks for no class.
    """

    kind: ClassVar[str] = "explainer"
    class_dependent: ClassVar[bool] = False

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps, float32 (N, H, W), at least 0; ``targets`` are only counted; draws nothing.

        Raises:
            UsageError: the model has no attention over all patches of an image.
        """
        target_logits(inputs.new_zeros(len(inputs), 1), targets)
        layers, grid = attention_weights(model, inputs)
        words = layers[0].shape[1]
        one = torch.eye(words, device=layers[0].device)
        product = one.expand(len(inputs), -1, -1)
        with torch.autocast(one.device.type, enabled=False):
            for weights in layers:
                mixed = (weights + one) / 2
                product = mixed / mixed.sum(dim=2, keepdim=True) @ product
        prefix = words - grid[0] * grid[1]
        reached = product[:, 0] if prefix else product.mean(dim=1)
        return enlarged(reached[:, prefix:].reshape(len(inputs), *grid), model, inputs)
