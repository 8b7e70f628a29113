"""Grad-CAM: where the last feature maps speak for a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from dlcli.explainers.cam import GradientCAM


@dataclass(frozen=True, kw_only=True)
class GradCAM(GradientCAM):
    """Gradient-weighted class activation maps (Selvaraju et al. 2017, equations 1 and 2).

    α_k is the mean over positions of g_k, and the map is ReLU(Σ_k α_k A_k): never negative, as in the paper, zero where nothing
    speaks for the class, and not normalised.
    """

    title: ClassVar[str] = "gradcam"

    def combine(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Returns ReLU(Σ_k α_k A_k)."""
        return (gradients.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu()
