"""Input × gradient: what each input adds to the logit, were the model linear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.explainers.evidence import Evidence, lent
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class InputXGradient:
    """The input times the gradient of the class logit (Shrikumar et al. 2016, "Not just a black box", §2).

    Signed, summed over an image's channels. Of a table whose categories become vectors it is summed over the features of a
    column; numbers count as standardised there, so a cell at train's mean has nothing. A missing cell of a plain table is NaN
    times a gradient: it counts as 0.
    """

    kind: ClassVar[str] = "explainer"

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D); draws nothing."""
        with lent(model):
            evidence = Evidence.of(model, inputs, targets)
            points = evidence.points(evidence.inputs)
            return evidence.maps(torch.nan_to_num(points.float(), nan=0.0) * evidence.gradients(points, evidence.rows))
