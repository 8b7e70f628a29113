"""GradientSHAP: integrated gradients at random places of the way, with noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.contracts import keys_or_default
from dlcli.explainers.evidence import Baseline, absent, check_baseline, check_positive, lent
from dlcli.explainers.outside import ClassLogits, of_copy, seeded, seeds
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class GradientSHAP:
    """Expected gradients with Gaussian noise, by captum (Lundberg and Lee 2017; Erion et al. 2021, "expected gradients").

    An explainer sees no training data, so the one baseline is that of integrated gradients. Signed, summed over channels or over
    the features of a column. Examples are explained one by one with seeds of their own, so batches make no difference.

    Args:
        samples: gradients for each example, all in one batch; at least 1.
        noise: σ of the noise, at least 0: in pixel values, or in units of the points of a table (standard deviations where its
            categories become vectors).
        baseline: "mean" or "zero"; see :func:`~dlcli.explainers.evidence.absent`.
    """

    samples: int = 100
    noise: float = 0.1
    baseline: Baseline = "mean"
    kind: ClassVar[str] = "explainer"

    def __post_init__(self) -> None:
        check_positive(samples=self.samples)
        check_baseline(self.baseline)
        if not self.noise >= 0:
            raise ValueError(f"noise must be at least 0, got {self.noise}")

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D)."""
        from captum.attr import GradientShap

        keys = keys_or_default(rng, inputs)
        with lent(model):
            evidence = of_copy(model, inputs, targets)
            start = torch.nan_to_num(evidence.points(absent(evidence.model, evidence.inputs, self.baseline)), nan=0.0)
            points = torch.nan_to_num(evidence.points(evidence.inputs), nan=0.0)
            shap = GradientShap(ClassLogits(evidence))
            shares = []
            for row, seed in enumerate(seeds(keys, "gradient_shap")):
                one = slice(row, row + 1)
                with seeded(seed), torch.enable_grad():
                    found = shap.attribute(
                        points[one].clone(),
                        start[one],
                        n_samples=self.samples,
                        stdevs=self.noise,
                        additional_forward_args=(evidence.rows[one],),
                    )
                shares.append(found.detach().float())
            return evidence.maps(torch.cat(shares))
