"""Grad-CAM++: Grad-CAM for several objects of a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dlcli.explainers.cam import GradientCAM

_TINY = 1e-6  # keeps what is below the line from zero, which it may be near from either side


@dataclass(frozen=True, kw_only=True)
class GradCAMPlusPlus(GradientCAM):
    """Grad-CAM++ (Chattopadhay et al. 2018, equations 10 and 19).

    With S_k = Σ_ij A_k: a = g² / (2 g² + S_k g³), 0 where g is 0, w_k = Σ_ij a · ReLU(g), and the map is ReLU(Σ_k w_k A_k). The
    paper's Y is exp of the logit; its factor exp(y) is one positive number per image, and left out.
    """

    title: ClassVar[str] = "gradcam_pp"

    def combine(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Returns ReLU(Σ_k w_k A_k)."""
        squares = gradients.square()
        below = 2 * squares + maps.sum(dim=(2, 3), keepdim=True) * squares * gradients
        alpha = torch.where(gradients == 0, 0, squares / torch.where(below == 0, 1, below + _TINY))
        weights = (alpha * gradients.relu()).sum(dim=(2, 3), keepdim=True)
        return (weights * maps).sum(dim=1).relu()
