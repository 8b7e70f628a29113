"""DeepLIFT: differences to a baseline, sent back through each activation; its sum is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.errors import UsageError
from dlcli.explainers.evidence import Baseline, absent, check_baseline, lent
from dlcli.explainers.outside import ClassLogits, of_copy, rectifiers, seeded
from dlcli.randomness import SampleKeys

_HINT = "dl explain integrated_gradients"


@dataclass(frozen=True, kw_only=True)
class DeepLIFT:
    """DeepLIFT with the rescale rule, by captum (Shrikumar et al. 2017, "Learning important features …", §3.5.1).

    Signed, summed over channels or over the features of a column. The rule knows activations that are modules and run once;
    where the maps' sums miss the differences of the logits by more than ``tolerance`` of them, others are at work.

    Args:
        baseline: "mean" or "zero"; see :func:`~dlcli.explainers.evidence.absent`.
        tolerance: what the sums may miss, as a share of the differences; at least 0.
    """

    baseline: Baseline = "mean"
    tolerance: float = 0.05
    kind: ClassVar[str] = "explainer"
    # Behind two convolutions captum's rule for max pooling lost 9 to 109 % of the sum on small nets; mean pooling 1e-6.
    max_pooling: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_baseline(self.baseline)
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance must be at least 0, got {self.tolerance}")

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W) or (N, D); draws nothing.

        Raises:
            UsageError: a ReLU is functional or runs more than once, or the sums do not fit.
        """
        from captum.attr import DeepLift

        with lent(model):
            evidence = of_copy(model, inputs, targets)
            found = rectifiers(evidence)
            if found.functional or found.reused:
                what = "calls a functional ReLU" if found.functional else "runs one ReLU module more than once"
                raise UsageError(f"deeplift needs each ReLU to be a module of its own; this model {what}", hint=_HINT)
            start = torch.nan_to_num(evidence.points(absent(evidence.model, evidence.inputs, self.baseline)), nan=0.0)
            points = torch.nan_to_num(evidence.points(evidence.inputs), nan=0.0)
            rows = evidence.rows
            difference = evidence.values(points, rows) - evidence.values(start, rows)
            with seeded(0), torch.enable_grad():
                lift = DeepLift(ClassLogits(evidence))
                shares = lift.attribute(points, start, additional_forward_args=(rows,)).detach().float()
            missed, whole = (part.abs().sum() for part in (shares.flatten(1).sum(dim=1) - difference, difference))
            if missed > self.tolerance * whole + 1e-4 * len(rows):
                raise UsageError(
                    f"deeplift's sums miss {float(missed / whole):.0%} of the differences of the logits: its rule does not "
                    "follow all of this model's layers (GELU or max pooling, say)",
                    hint=_HINT,
                )
            return evidence.maps(shares)
