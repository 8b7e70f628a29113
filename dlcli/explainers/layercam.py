"""LayerCAM: each position weighted by its own positive gradient; for early layers, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from dlcli.explainers.cam import GradientCAM


@dataclass(frozen=True, kw_only=True)
class LayerCAM(GradientCAM):
    """LayerCAM (Jiang et al. 2021, equations 5 and 6): ReLU(Σ_k ReLU(g_k) ⊙ A_k)."""

    title: ClassVar[str] = "layercam"

    def combine(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Returns ReLU(Σ_k ReLU(g_k) ⊙ A_k)."""
        return (gradients.relu() * maps).sum(dim=1).relu()
