"""What maps that should add up to a difference of logits miss of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from dlcli.contracts import Explainer, Metric
from dlcli.randomness import SampleKeys

_MOST = 0.05  # of the difference: beyond it a map is not to be taken at its word


@dataclass
class Gaps:
    """Per example what its map misses, and of what, in logits; empty for explainers that promise no sum."""

    missed: list[float] = field(default_factory=list)
    wanted: list[float] = field(default_factory=list)

    @property
    def shares(self) -> list[float]:
        """|δ| / |f(x) - f(x')|; 0 where both are 0."""
        return [abs(gap) / max(abs(of), 1e-6) for gap, of in zip(self.missed, self.wanted, strict=True)]

    @property
    def items(self) -> list[dict[str, object]]:
        """A line for each map."""
        return [{"gap": gap, "difference": of} for gap, of in zip(self.missed, self.wanted, strict=True)]

    @property
    def metrics(self) -> dict[str, Metric]:
        """The largest share that is missed."""
        return {"explain/largest_gap": Metric(max(self.shares), n=len(self.shares))} if self.missed else {}

    @property
    def remarks(self) -> list[str]:
        """Says how many maps do not add up."""
        bad = sum(share > _MOST for share in self.shares)
        return [f"{bad} of {len(self.missed)} maps miss more than {_MOST:.0%} of what they should add up to"] if bad else []


def watched(explainer: Explainer, gaps: Gaps) -> Explainer:
    """Returns the explainer, or where it can say what its maps miss, one that notes it in ``gaps``."""
    return _Watched(explainer, gaps) if hasattr(explainer, "completeness") else explainer


@dataclass(frozen=True)
class _Watched:
    inner: Any
    gaps: Gaps
    kind: ClassVar[str] = "explainer"

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        found = self.inner.completeness(model, inputs, targets)
        self.gaps.missed.extend(found.gap.double().cpu().tolist())
        self.gaps.wanted.extend(found.difference.double().cpu().tolist())
        maps: Tensor = found.maps
        assert torch.is_tensor(maps)
        return maps
