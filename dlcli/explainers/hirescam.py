"""HiResCAM: gradients and maps multiplied position by position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from dlcli.explainers.cam import GradientCAM


@dataclass(frozen=True, kw_only=True)
class HiResCAM(GradientCAM):
    """HiResCAM (Draelos and Carin 2020, equation 5): ReLU(Σ_k g_k ⊙ A_k).

    Where the head is linear in the maps it shows just what adds to the logit. Where the head is a mean over positions and a
    linear layer it is Grad-CAM.
    """

    title: ClassVar[str] = "hirescam"

    def combine(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Returns ReLU(Σ_k g_k ⊙ A_k)."""
        return (gradients * maps).sum(dim=1).relu()
