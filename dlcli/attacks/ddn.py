"""DDN: a step along the gradient decides the direction, and the last answer decides the length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.balls import boxed, steepest
from dlcli.attacks.examples import lent
from dlcli.attacks.gradients import look
from dlcli.attacks.losses import log_odds
from dlcli.attacks.minimum import annealed, offer_nearest, opened, unit
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class DDN:
    """Decoupled direction and norm (Rony et al. 2019, "Decoupling direction and norm for efficient gradient-based L2 attacks").

    Minimum-norm, L2 (Alg. 1). δ ← δ + α · g / ‖g‖₂ up the cross-entropy, with α from 1 to 0.01 along a cosine; then δ is brought
    to length ε, which has become 1 - γ times what it was where the model is fooled, else 1 + γ times. What comes back is the
    nearest point that fools the model, else the point of highest margin. With ``goals`` it goes down the cross-entropy of the
    goal. Where the gradient is zero the direction is random. Unlike in the authors' code pixels are not rounded to 256 levels,
    and the last point is looked at, too. Images are clipped to [0, 1]; tables are not clipped.

    Args:
        steps: gradient steps; at least 1.
        initial_norm: length of the first change, in raw units; above 0.
        gamma: by what share the length changes with each step, in (0, 1).
    """

    steps: int = 100
    initial_norm: float = 1.0
    gamma: float = 0.05
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_counts(steps=self.steps)
        if not 0 < self.initial_norm < math.inf:
            raise ValueError(f"initial_norm must be finite and above 0, got {self.initial_norm}")
        if not 0 < self.gamma < 1:
            raise ValueError(f"gamma must be above 0 and below 1, got {self.gamma}")

    @property
    def threat(self) -> Threat:
        return Threat("l2", None)

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
            standing, active, _ = opened(model, examples)
            point = active.inputs
            length = torch.full((len(active),), self.initial_norm, device=point.device)
            for step in range(self.steps + 1 if len(active) else 0):
                seen = look(model, point, active, log_odds, gradient=step < self.steps)
                fooled, _ = offer_nearest(standing, point, seen.logits, active, "l2")
                if step == self.steps:
                    break
                length = length * torch.where(fooled, 1 - self.gamma, 1 + self.gamma)
                size = annealed(1.0, 0.01, step, self.steps)
                change = point - active.inputs + size * unit(seen.gradient, active.keys, "ddn", step)
                point = boxed(active.inputs + length.reshape(-1, *[1] * (point.ndim - 1)) * steepest(change, "l2"))
            return standing.result()
