"""SmoothGrad: the gradient, averaged over noisy copies of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.contracts import keys_or_default
from dlcli.explainers.evidence import Evidence, blocks, check_positive, lent
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class SmoothGrad:
    """The mean gradient of the class logit over Gaussian noise (Smilkov et al. 2017, "SmoothGrad", §3).

    Images: σ is ``noise`` · (max - min) of the example, as in the paper; the map is the largest absolute mean gradient over the
    channels of a pixel, as in :mod:`~dlcli.explainers.saliency`. Tables: the signed mean gradient. There σ is ``noise`` standard
    deviations of the column in train, where the model knows them or its features are standardised; of any other table
    ``noise`` · (max - min) of the row. Features of a category's vector get the same noise, and their gradients are summed.

    Args:
        samples: noisy copies of each example; at least 1.
        noise: σ as a share, at least 0. The paper advises 0.1 to 0.2.
        at_once: forward passes in one batch, about; at least 1.
    """

    samples: int = 50
    noise: float = 0.15
    at_once: int = 128
    kind: ClassVar[str] = "explainer"

    def __post_init__(self) -> None:
        check_positive(samples=self.samples, at_once=self.at_once)
        if not self.noise >= 0:
            raise ValueError(f"noise must be at least 0, got {self.noise}")

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D). Noise belongs to examples, not to batches."""
        keys = keys_or_default(rng, inputs)
        with lent(model):
            evidence = Evidence.of(model, inputs, targets)
            points = evidence.points(evidence.inputs)
            sigma = self.noise * _spread(evidence, points)
            total = torch.zeros_like(points, dtype=torch.float32)
            for block in blocks(self.samples, len(points), self.at_once):
                noise = [sigma * keys.normal("smoothgrad/noise", step, tuple(points.shape[1:])) for step in block]
                noisy = torch.cat([points.float() + one for one in noise]).to(points.dtype)
                gradients = evidence.gradients(noisy, evidence.rows.repeat(len(block)))
                total += gradients.reshape(len(block), *points.shape).sum(dim=0)
        mean = total / self.samples
        return mean.abs().amax(dim=1) if inputs.ndim == 4 else evidence.maps(mean)


def _spread(evidence: Evidence, points: Tensor) -> Tensor:
    """What σ is a share of, float32, broadcast over ``points``."""
    if evidence.encoder is not None:
        return torch.ones(1, device=points.device)
    known = getattr(evidence.model, "std", None)
    if points.ndim == 2 and isinstance(known, Tensor) and known.shape == (1, points.shape[1]):
        return known.float()
    flat = torch.nan_to_num(points.float(), nan=0.0).flatten(1)
    return (flat.amax(dim=1) - flat.amin(dim=1)).reshape(-1, *(1,) * (points.ndim - 1))
