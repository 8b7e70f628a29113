"""Examples as lists of parts that are there or not: what LIME and KernelSHAP ask a model about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.explainers.evidence import Baseline, Evidence, absent


@dataclass(frozen=True, eq=False)
class Parts:
    """Examples cut into F parts: the cells of a grid over an image, the columns of a table.

    Args:
        evidence: the examples.
        fill: what stands where a part is absent, like the inputs.
        places: which part each pixel or column is of, int64 (H, W) or (D,).
    """

    evidence: Evidence
    fill: Tensor
    places: Tensor

    @classmethod
    def of(cls, model: nn.Module, inputs: Tensor, targets: Tensor, *, cells: int, fill: Baseline) -> Parts:
        """Cuts images into ``cells`` x ``cells``, fewer where there are fewer pixels. Raises ValueError as Evidence.of does."""
        evidence = Evidence.of(model, inputs, targets)
        filled = absent(model, evidence.inputs, fill)
        if inputs.ndim == 2:
            return cls(evidence, filled, torch.arange(inputs.shape[1], device=inputs.device))
        rows, columns = (torch.arange(size, device=inputs.device) * min(cells, size) // size for size in inputs.shape[2:])
        return cls(evidence, filled, rows[:, None] * min(cells, inputs.shape[3]) + columns[None])

    @property
    def count(self) -> int:
        """F."""
        return int(self.places.max()) + 1

    def asked(self, row: int) -> Callable[[Tensor], Tensor]:
        """Returns the class logit of one example as a function of what is there: 0 or 1 (M, F) in, float32 (M,) out."""
        inputs, target = self.evidence.inputs[row], self.evidence.targets[row : row + 1]

        def logits(present: Tensor) -> Tensor:
            there = present.bool()[:, self.places]
            shown = torch.where(there[:, None] if inputs.ndim == 3 else there, inputs[None], self.fill[row][None])
            only = Evidence(model=self.evidence.model, inputs=shown, targets=target.expand(len(shown)), encoder=None)
            return only.values(shown, only.rows)

        return logits

    def maps(self, weights: Tensor) -> Tensor:
        """Returns weights of the parts (N, F) as maps (N, H, W) or (N, D): every pixel has its cell's."""
        return weights[:, self.places]
