"""LIME: a linear model of the logit, fitted to copies of the example with parts left out."""

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
class LIME:
    """Local interpretable model-agnostic explanations, by captum (Ribeiro et al. 2016, "Why should I trust you?", equation 2).

    Parts are cells of a grid or columns, each left out with chance 1/2; copies weigh exp(-d² / width²) with d the cosine
    distance to the whole, and a ridge regression gives each part its weight. Signed. One example after another, with its own
    seed, so batches make no difference.

    Args:
        samples: copies of each example, at least 2.
        cells: side of the grid over an image, at least 1.
        width: of the kernel, above 0; 0.25 as in the authors' code for images.
        ridge: strength of the penalty on weights, at least 0.
        fill: what stands for a part that is left out, "mean" or "zero".
        at_once: forward passes in one batch; at least 1.
    """

    samples: int = 500
    cells: int = 7
    width: float = 0.25
    ridge: float = 1.0
    fill: Baseline = "mean"
    at_once: int = 256
    kind: ClassVar[str] = "explainer"

    def __post_init__(self) -> None:
        check_positive(cells=self.cells, at_once=self.at_once)
        check_baseline(self.fill)
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2, got {self.samples}")
        if not self.width > 0:
            raise ValueError(f"width must be above 0, got {self.width}")
        if not self.ridge >= 0:
            raise ValueError(f"ridge must be at least 0, got {self.ridge}")

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D)."""
        from captum._utils.models.linear_model import SkLearnRidge
        from captum.attr import Lime
        from captum.attr._core.lime import get_exp_kernel_similarity_function

        keys, weights = keys_or_default(rng, inputs), []
        with lent(model):
            parts = Parts.of(model, inputs, targets, cells=self.cells, fill=self.fill)
            whole = torch.ones(1, parts.count, device=inputs.device)
            for row, seed in enumerate(seeds(keys, "lime")):
                kernel = get_exp_kernel_similarity_function("cosine", self.width)
                lime = Lime(parts.asked(row), interpretable_model=SkLearnRidge(alpha=self.ridge), similarity_func=kernel)
                with seeded(seed):
                    found = lime.attribute(whole, n_samples=self.samples, perturbations_per_eval=self.at_once)
                weights.append(found.detach().float())
            return parts.maps(torch.cat(weights).to(inputs.device))
