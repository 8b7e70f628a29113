"""Integrated gradients: the logit's difference to a baseline, shared out over the inputs, and by how much the sum misses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.explainers.evidence import Baseline, Evidence, absent, blocks, check_baseline, check_positive, lent
from dlcli.randomness import SampleKeys


@dataclass(frozen=True)
class Completeness:
    """Maps, and how far each is from sharing out the whole difference.

    Args:
        maps: float32 (N, H, W) or (N, D).
        gap: δ, the sum of the map minus ``difference``; float32 (N,), in logits.
        difference: the class logit at the input minus that at the baseline, float32 (N,).
        steps: gradients that each map took, int64 (N,).
    """

    maps: Tensor
    gap: Tensor
    difference: Tensor
    steps: Tensor


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients:
    """(x - x') times the mean gradient of the class logit between x' and x (Sundararajan et al. 2017, equation 1).

    The integral is taken by Gauss and Legendre's rule, exact for polynomials of degree 2 · steps - 1. Where the map's sum misses
    the difference of the logits by more than ``tolerance`` of it, steps are doubled, up to ``most_steps``: what is left is
    reported by :meth:`completeness`, never hidden. Maps are summed over channels, or over the features of a column.

    Args:
        steps: gradients at first, at least 1.
        most_steps: gradients at the end, at least ``steps``.
        tolerance: |δ| as a share of |f(x) - f(x')| that needs no more steps; at least 0.
        baseline: x', "mean" or "zero"; see :func:`~dlcli.explainers.evidence.absent`.
        at_once: gradients in one batch, about; at least 1.
    """

    steps: int = 50
    most_steps: int = 400
    tolerance: float = 0.05
    baseline: Baseline = "mean"
    at_once: int = 128
    kind: ClassVar[str] = "explainer"

    def __post_init__(self) -> None:
        check_positive(steps=self.steps, at_once=self.at_once)
        check_baseline(self.baseline)
        if self.most_steps < self.steps:
            raise ValueError(f"most_steps must be at least steps ({self.steps}), got {self.most_steps}")
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance must be at least 0, got {self.tolerance}")

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D); draws nothing."""
        return self.completeness(model, inputs, targets).maps

    def completeness(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> Completeness:
        """Returns the maps with the gap of each. Raises ValueError: not one class per example."""
        with lent(model):
            evidence = Evidence.of(model, inputs, targets)
            start = evidence.points(absent(model, evidence.inputs, self.baseline))
            points = evidence.points(evidence.inputs)
            if evidence.encoder is None and points.ndim == 2:
                start, points = _without_missing(evidence, start), _without_missing(evidence, points)
            rows, steps = evidence.rows, self.steps
            difference = evidence.values(points, rows) - evidence.values(start, rows)
            shares = self._shares(evidence, (start, points), rows, steps)
            taken = torch.full_like(rows, steps)
            while steps < self.most_steps:
                gap = (shares.flatten(1).sum(dim=1) - difference).abs()
                rows = (gap > self.tolerance * difference.abs()).nonzero()[:, 0]
                if not len(rows):
                    break
                steps = min(2 * steps, self.most_steps)
                shares[rows] = self._shares(evidence, (start, points), rows, steps)
                taken[rows] = steps
            return Completeness(evidence.maps(shares), shares.flatten(1).sum(dim=1) - difference, difference, taken)

    def _shares(self, evidence: Evidence, ends: tuple[Tensor, Tensor], rows: Tensor, steps: int) -> Tensor:
        """Returns what each coordinate of the points adds, float32 (M, …) for M ``rows``."""
        start, way = ends[0][rows].float(), (ends[1][rows].float() - ends[0][rows].float())
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        total = torch.zeros_like(way)
        for block in blocks(steps, len(rows), self.at_once):
            points = torch.cat([start + float((nodes[step] + 1) / 2) * way for step in block]).to(ends[0].dtype)
            gradients = evidence.gradients(points, rows.repeat(len(block))).reshape(len(block), *way.shape)
            total += torch.einsum("s,s...->...", way.new_tensor(weights[block.start : block.stop] / 2), gradients)
        return way * total


def _without_missing(evidence: Evidence, points: Tensor) -> Tensor:
    """Returns points of a table with missing cells at train's means: a straight line from NaN leads nowhere."""
    spec = getattr(evidence.model, "spec", None)
    means = points.new_tensor(spec.mean) if spec is not None else points.new_zeros(points.shape[1])
    return torch.where(points.isnan(), means, points)
