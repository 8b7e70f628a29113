"""The momentum iterative fast gradient sign method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from dlcli.attacks.ascent import StepSize, ascend, check_counts, check_step_size
from dlcli.attacks.balls import Norm, check_epsilon
from dlcli.attacks.examples import lent
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class MIFGSM:
    """Steps along a running sum of gradients (Dong et al. 2018, "Boosting adversarial attacks with momentum", Alg. 1).

    g ← μ · g + ∇ₓ CE / ‖∇ₓ CE‖₁ and x ← Π(x + α · sign g), from the example itself; in L2 x ← Π(x + α · g / ‖g‖₂). A gradient of
    zero adds nothing to g. What comes back is the first point that fools the model, else the point of highest loss. With
    ``goals`` it goes down the cross-entropy of the goal class. Images are clipped to [0, 1]; tables are not clipped.

    Args:
        epsilon: radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
        steps: gradient steps; at least 1.
        step_size: length of a step, above 0; "auto" is ε / steps, as in the paper.
        momentum: the share μ of the sum that a step keeps; at least 0, and 0 is BIM.
        early_stop: False takes every example up all steps, also one that fools the model, as attacks on other models want.
    """

    epsilon: float
    norm: Norm = "linf"
    steps: int = 10
    step_size: StepSize = "auto"
    momentum: float = 1.0
    early_stop: bool = True
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.norm)
        check_counts(steps=self.steps)
        check_step_size(self.step_size)
        if not 0 <= self.momentum < math.inf:
            raise ValueError(f"momentum must be finite and at least 0, got {self.momentum}")

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
        """Returns adversarial inputs; misclassified examples (with goals: those taken for their goal) stay as they are.

        It draws nothing, so ``rng`` does not matter.
        """
        with lent(model, inputs, targets, rng=rng, goals=goals) as examples:
            return ascend(
                model,
                examples,
                norm=self.norm,
                epsilon=self.epsilon,
                steps=self.steps,
                step_size=self.epsilon / self.steps if self.step_size == "auto" else self.step_size,
                momentum=self.momentum,
                early_stop=self.early_stop,
            )
