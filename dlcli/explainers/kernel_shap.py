"""KernelSHAP: Shapley values of an image's cells or a table's columns, by weighted regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.contracts import keys_or_default
from dlcli.explainers.evidence import Baseline, check_baseline, check_positive, lent
from dlcli.explainers.outside import seeded, seeds
from dlcli.explainers.present import Parts
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class KernelSHAP:
    """Shapley values by regression over coalitions of parts, by captum (Lundberg and Lee 2017, theorem 2).

    Parts are cells of a grid or columns; one that is not in a coalition is filled. Signed; the values sum to the logit minus that
    of the example with everything filled. One example after another, with its own seed, so batches make no difference.

    Args:
        samples: coalitions for each example, at least 2. Fewer than parts leave values undetermined: the shortest are taken.
        cells: side of the grid over an image, at least 1.
        fill: what stands for a part that is not there, "mean" or "zero".
        at_once: forward passes in one batch; at least 1.
    """

    samples: int = 500
    cells: int = 7
    fill: Baseline = "mean"
    at_once: int = 256
    kind: ClassVar[str] = "explainer"

    def __post_init__(self) -> None:
        check_positive(cells=self.cells, at_once=self.at_once)
        check_baseline(self.fill)
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2, got {self.samples}")

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D)."""
        from captum.attr import KernelShap

        keys, weights = keys_or_default(rng, inputs), []
        with lent(model):
            parts = Parts.of(model, inputs, targets, cells=self.cells, fill=self.fill)
            whole = torch.ones(1, parts.count, device=inputs.device)
            for row, seed in enumerate(seeds(keys, "kernel_shap")):
                with seeded(seed):
                    found = KernelShap(parts.asked(row)).attribute(
                        whole, n_samples=self.samples, perturbations_per_eval=self.at_once
                    )
                weights.append(found.detach().float())
            return parts.maps(torch.cat(weights).to(inputs.device))
