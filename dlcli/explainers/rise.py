"""RISE: how the class does on average when a pixel is kept, over random masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from dlcli.classifier import class_logits
from dlcli.contracts import keys_or_default
from dlcli.explainers.evidence import Baseline, Evidence, absent, blocks, check_baseline, check_positive, lent
from dlcli.explainers.logits import target_logits
from dlcli.randomness import SampleKeys

Score = Literal["probability", "logit"]


@dataclass(frozen=True, kw_only=True)
class RISE:
    """Randomized input sampling for explanation (Petsiuk et al. 2018, "RISE", equation 6 and §3.2).

    Masks are coarse random grids, enlarged bilinearly and shifted by less than a cell; for tables every column is kept or not.
    The map is Σ_i (f(x ⊙ M_i) - f̄) M_i / (p (n - 1)): the paper's, with the mean score f̄ taken off. That changes no ranking in
    expectation, takes away the noise that f̄ would bring, and gives the map its sign: positive where keeping a pixel helps.

    Args:
        samples: masks for each example, at least 2. The paper takes 4000 to 8000.
        cells: side of the grid, at least 1.
        keep: p, the chance of a cell to be kept, in (0, 1).
        score: "probability" of the class, as in the paper, or its "logit".
        fill: what covers, "mean" or "zero" (the paper); see :func:`~dlcli.explainers.evidence.absent`.
        at_once: forward passes in one batch, about; at least 1.
    """

    samples: int = 2000
    cells: int = 7
    keep: float = 0.5
    score: Score = "probability"
    fill: Baseline = "mean"
    at_once: int = 256
    kind: ClassVar[str] = "explainer"

    def __post_init__(self) -> None:
        check_positive(cells=self.cells, at_once=self.at_once)
        check_baseline(self.fill)
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2, got {self.samples}")
        if not 0 < self.keep < 1:
            raise ValueError(f"keep must be in (0, 1), got {self.keep}")
        if self.score not in {"probability", "logit"}:
            raise ValueError(f"score must be probability or logit, got '{self.score}'")

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D). Masks belong to examples, not to batches."""
        keys = keys_or_default(rng, inputs)
        with lent(model):
            evidence = Evidence.of(model, inputs, targets)
            fill = absent(model, evidence.inputs, self.fill)
            size = (len(inputs), *inputs.shape[2:]) if inputs.ndim == 4 else tuple(inputs.shape)
            total, kept = torch.zeros(2, *size, device=inputs.device)
            mean = torch.zeros(len(inputs), device=inputs.device)
            for block in blocks(self.samples, len(inputs), self.at_once):
                masks = torch.stack([self._masks(keys, step, inputs) for step in block])
                shown = _blended(evidence.inputs, fill, masks).flatten(0, 1)
                scores = self._scores(model, shown, evidence.targets.repeat(len(block))).reshape(len(block), len(inputs))
                total += torch.einsum("sn,sn...->n...", scores, masks)
                kept += masks.sum(dim=0)
                mean += scores.sum(dim=0) / self.samples
        average = mean.reshape(-1, *(1,) * (total.ndim - 1))
        maps: Tensor = (total - average * kept) / (self.keep * (self.samples - 1))
        return maps

    def _scores(self, model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        with torch.no_grad():
            logits = model(inputs).float()
        if self.score == "logit":
            return target_logits(logits, targets)
        return target_logits(class_logits(logits).softmax(dim=1), targets)

    def _masks(self, keys: SampleKeys, step: int, inputs: Tensor) -> Tensor:
        """Returns one mask for each example, float32 (N, H, W) in [0, 1] or (N, D) of 0 and 1."""
        if inputs.ndim == 2:
            return (keys.uniform("rise/mask", step, (inputs.shape[1],)) < self.keep).float()
        sizes = inputs.shape[2:]
        grid = (keys.uniform("rise/mask", step, (1, self.cells, self.cells)) < self.keep).float()
        steps = [-(-size // self.cells) for size in sizes]
        enlarged = [(self.cells + 1) * size for size in steps]
        masks = nn.functional.interpolate(grid, size=enlarged, mode="bilinear", align_corners=False)[:, 0].clamp(0, 1)
        shifts = [keys.integers(f"rise/shift/{axis}", step, size) for axis, size in enumerate(steps)]
        places = [shift[:, None] + torch.arange(size, device=inputs.device) for shift, size in zip(shifts, sizes, strict=True)]
        rows = torch.arange(len(inputs), device=inputs.device)[:, None, None]
        return masks[rows, places[0][:, :, None], places[1][:, None, :]]


def _blended(inputs: Tensor, fill: Tensor, masks: Tensor) -> Tensor:
    """Returns inputs (S, N, …) that are kept where masks (S, N, …) are 1; cells of a table are never mixed."""
    if inputs.ndim == 2:
        return torch.where(masks.bool(), inputs[None], fill[None])
    weights = masks[:, :, None].to(inputs.dtype)
    return weights * inputs[None] + (1 - weights) * fill[None]
