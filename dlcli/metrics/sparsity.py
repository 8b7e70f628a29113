"""How few places of a map hold most of it."""

from __future__ import annotations

import torch
from torch import Tensor


def gini(maps: Tensor) -> Tensor:
    """Returns the Gini index of each map's sizes, float32 (N,): 0 where all are equal, 1 - 1/P where one of P has everything.

    A map of zeros has none: NaN. Source: Hurley and Rickard 2009, "Comparing measures of sparsity", table I; of attributions:
    Chalasani et al. 2020, "Concise explanations of neural networks using adversarial training".

    Args:
        maps: (N, …), signed.
    """
    sizes = maps.flatten(1).abs().double().sort(dim=1).values
    count = sizes.shape[1]
    place = torch.arange(1, count + 1, device=sizes.device, dtype=sizes.dtype)
    total = sizes.sum(dim=1)
    index = ((2 * place - count - 1) * sizes).sum(dim=1) / (count * torch.where(total > 0, total, 1))
    return torch.where(total > 0, index, torch.nan).float()
