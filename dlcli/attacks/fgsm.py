"""The fast gradient sign method: one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Norm, boxed, check_epsilon, steepest
from dlcli.attacks.examples import lent
from dlcli.attacks.gradients import first_look
from dlcli.attacks.losses import log_odds
from dlcli.contracts import Threat
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class FGSM:
    """One step of length ``epsilon`` up the cross-entropy (Goodfellow et al. 2015, "Explaining and harnessing", §4).

    x' = clip(x + ε · sign ∇ₓ CE(x, y)) in Linf, and x' = clip(x + ε · g / ‖g‖₂) in L2. With ``goals`` the step
    goes down the cross-entropy of the goal class. Inputs without a gradient stay as they are, and so do those that are
    misclassified already (with goals: taken for their goal). Images are clipped to [0, 1]; tables are not clipped.

    Args:
        epsilon: radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
    """

    epsilon: float
    norm: Norm = "linf"
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.norm)

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.epsilon)

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        *,
        rng: SampleKeys | None = None,
        goals: Tensor | None = None,
    ) -> Tensor:
        """Returns adversarial inputs; draws nothing, so ``rng`` does not matter.

        Raises:
            ComputeError: a gradient that gives the step no direction.
        """
        with lent(model, inputs, targets, rng=rng, goals=goals) as examples:
            seen = first_look(model, examples, log_odds)
            moved = boxed(examples.inputs + self.epsilon * steepest(seen.gradient, self.norm))
            spared = examples.fooled(seen.logits).reshape(-1, *[1] * (inputs.ndim - 1))
            attacked = torch.where(spared, examples.inputs, moved)
            # Nobody looks at them again, so that is seen here or nowhere.
            if not attacked.isfinite().all():
                raise ComputeError("the model's gradient is not finite, so the step has no direction")
            return attacked
