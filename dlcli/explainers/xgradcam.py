"""XGrad-CAM: weights that add up to the logit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dlcli.explainers.cam import GradientCAM

_SMALL = 1e-4  # of the sum of absolute values: below it a sum is rounding


@dataclass(frozen=True, kw_only=True)
class XGradCAM(GradientCAM):
    """XGrad-CAM (Fu et al. 2020, equation 8): w_k = Σ_ij g_k A_k / Σ_ij A_k, and the map is ReLU(Σ_k w_k A_k).

    A map whose sum is small beside its parts says nothing of where, and its weight would be without bound: it is left out.
    Maps after a ReLU never are such.
    """

    title: ClassVar[str] = "xgradcam"

    def combine(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Returns ReLU(Σ_k w_k A_k)."""
        total, parts = maps.sum(dim=(2, 3), keepdim=True), maps.abs().sum(dim=(2, 3), keepdim=True)
        kept = total.abs() > _SMALL * parts
        weights = (gradients * maps).sum(dim=(2, 3), keepdim=True) / torch.where(kept, total, 1)
        return (torch.where(kept, weights, 0) * maps).sum(dim=1).relu()
