"""Occlusion: how much the logit falls when a window of the input is covered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from dlcli.explainers.evidence import Baseline, Evidence, absent, blocks, check_baseline, check_positive, lent
from dlcli.randomness import SampleKeys

Size = int | Literal["auto"]


@dataclass(frozen=True, kw_only=True)
class Occlusion:
    """The class logit minus what it is with a window covered (Zeiler and Fergus 2014, "Visualizing …", §4.2).

    Images: a pixel's value is the mean over the windows that cover it; the last windows end at the borders, so all pixels are
    covered. Tables: one column after another becomes the baseline, codes of categories as well; a window of several columns
    would mean nothing, so ``patch`` and ``stride`` are not read.

    Args:
        patch: side of the square window in pixels, or "auto": a seventh of the shorter side, at least 1.
        stride: pixels from one window to the next, at most ``patch``; or "auto": half a patch, at least 1.
        fill: what covers, "mean" or "zero"; see :func:`~dlcli.explainers.evidence.absent`.
        at_once: forward passes in one batch, about; at least 1.
    """

    patch: Size = "auto"
    stride: Size = "auto"
    fill: Baseline = "mean"
    at_once: int = 256
    kind: ClassVar[str] = "explainer"

    def __post_init__(self) -> None:
        for name, size in (("patch", self.patch), ("stride", self.stride)):
            if size != "auto" and size < 1:
                raise ValueError(f"{name} must be 'auto' or at least 1, got {size!r}")
        if isinstance(self.patch, int) and isinstance(self.stride, int) and self.stride > self.patch:
            raise ValueError(f"stride must be at most patch ({self.patch}), or pixels stay uncovered; got {self.stride}")
        check_baseline(self.fill)
        check_positive(at_once=self.at_once)

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D); draws nothing."""
        with lent(model):
            evidence = Evidence.of(model, inputs, targets)
            covers = self._covers(inputs)
            fill = absent(model, evidence.inputs, self.fill)
            whole = _values(evidence, evidence.inputs, evidence.rows)
            total = torch.zeros(len(inputs), *covers.shape[1:], device=inputs.device)
            for block in blocks(len(covers), len(inputs), self.at_once):
                chosen = covers[block.start : block.stop]
                masks = chosen[:, None, None] if inputs.ndim == 4 else chosen[:, None]
                covered = torch.where(masks, fill[None], evidence.inputs[None]).flatten(0, 1)
                values = _values(evidence, covered, evidence.rows.repeat(len(block))).reshape(len(block), len(inputs))
                total += torch.einsum("sn,s...->n...", whole[None] - values, chosen.float())
        return total / covers.sum(dim=0)

    def _covers(self, inputs: Tensor) -> Tensor:
        """Returns the windows, bool (S, H, W) or (S, D)."""
        if inputs.ndim == 2:
            return torch.eye(inputs.shape[1], dtype=torch.bool, device=inputs.device)
        height, width = inputs.shape[2:]
        patch = max(1, round(min(height, width) / 7)) if self.patch == "auto" else min(self.patch, height, width)
        stride = max(1, patch // 2) if self.stride == "auto" else min(self.stride, patch)
        rows, columns = (_intervals(size, patch, stride, inputs.device) for size in (height, width))
        return (rows[:, None, :, None] & columns[None, :, None, :]).flatten(0, 1)


def _intervals(size: int, patch: int, stride: int, device: torch.device) -> Tensor:
    """Returns where the windows lie along one axis, bool (W, size)."""
    starts = torch.tensor([*range(0, size - patch, stride), size - patch], device=device)[:, None]
    places = torch.arange(size, device=device)[None]
    return (places >= starts) & (places < starts + patch)


def _values(evidence: Evidence, inputs: Tensor, rows: Tensor) -> Tensor:
    """Returns the class logits of changed ``inputs``, codes and missing cells as the model reads them, float32 (M,)."""
    return Evidence(model=evidence.model, inputs=inputs, targets=evidence.targets, encoder=None).values(inputs, rows)
