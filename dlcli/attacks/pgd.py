"""Projected gradient descent, and with no random start the basic iterative method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from dlcli.attacks.ascent import StepSize, ascend, check_counts, check_step_size
from dlcli.attacks.balls import Norm, check_epsilon
from dlcli.attacks.examples import lent
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class PGD:
    """Steps up the cross-entropy, each brought back into the ball (Madry et al. 2018, "Towards deep learning models", §2.1).

    x ← Π(x + α · sign ∇ₓ CE) in Linf, and α · g / ‖g‖₂ in L2, from a point drawn uniformly from the ball; without the random
    start it is the basic iterative method (Kurakin et al. 2017, "Adversarial examples in the physical world"). What comes back is
    the first point that fools the model, else the point of highest loss. With ``goals`` it goes down the cross-entropy of the
    goal class. Images are clipped to [0, 1]; tables are not clipped.

    Args:
        epsilon: radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
        steps: gradient steps from each start; at least 1.
        step_size: length of a step, above 0; "auto" is 2.5 · ε / steps (Madry et al. 2018), enough to cross the ball.
        restarts: random starts for examples that still stand; at least 1, and 1 without a random start.
        random_start: False starts at the example itself.
        early_stop: False takes every example up all steps, also one that fools the model, as adversarial training does.
    """

    epsilon: float
    norm: Norm = "linf"
    steps: int = 40
    step_size: StepSize = "auto"
    restarts: int = 1
    random_start: bool = True
    early_stop: bool = True
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.norm)
        check_counts(steps=self.steps, restarts=self.restarts)
        check_step_size(self.step_size)
        if self.restarts > 1 and not self.random_start:
            raise ValueError(f"restarts must be 1 without a random start, as all would be alike; got {self.restarts}")

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
        """Returns adversarial inputs; misclassified examples (with goals: those taken for their goal) stay as they are."""
        with lent(model, inputs, targets, rng=rng, goals=goals) as examples:
            return ascend(
                model,
                examples,
                norm=self.norm,
                epsilon=self.epsilon,
                steps=self.steps,
                step_size=2.5 * self.epsilon / self.steps if self.step_size == "auto" else self.step_size,
                restarts=self.restarts,
                random_start=self.random_start,
                early_stop=self.early_stop,
            )
