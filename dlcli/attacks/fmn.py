"""FMN: steps up a loss, inside a ball that is drawn tighter while the model is fooled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.balls import TOLERANCE, Norm, boxed, check_norm
from dlcli.attacks.examples import lent
from dlcli.attacks.gradients import Look, look
from dlcli.attacks.losses import margin
from dlcli.attacks.minimum import annealed, inside, offer_nearest, opened, unit
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys

_TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class FMN:
    """Fast minimum-norm attack (Pintor et al. 2021, "Fast minimum-norm adversarial attacks through adaptive norm constraints").

    Minimum-norm (Alg. 1). The loss is the margin, L. Until the model is fooled for the first time the radius is 1 + γ times what
    a linear model would need, ‖δ‖ + |L| / ‖∇L‖_q; from then on it is 1 + γ times what it was where the model is not fooled, and
    else the lesser of 1 - γ times that and of the nearest yet. Then δ ← δ + α · ∇L / ‖∇L‖₂ is projected onto the ball. α falls to
    a hundredth and γ to 0.001 along a cosine. What comes back is the nearest point that fools the model, else the point of
    highest margin. With ``goals`` L is the goal's lead over all other classes. Not in the paper: the first radius has the factor
    1 + γ, since on a linear model rounding would decide without it; where the gradient is zero the direction is random; and the
    last point is looked at, too. Images are clipped to [0, 1]; tables are not clipped.

    Args:
        norm: "linf" or "l2"; what is made small.
        steps: gradient steps; at least 1.
        step_size: L2 length of the first step, α, above 0.
        gamma: by what share the radius changes with the first step, in (0, 1).
    """

    norm: Norm = "linf"
    steps: int = 100
    step_size: float = 1.0
    gamma: float = 0.05
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_norm(self.norm)
        check_counts(steps=self.steps)
        if not 0 < self.step_size < math.inf:
            raise ValueError(f"step_size must be finite and above 0, got {self.step_size}")
        if not 0 < self.gamma < 1:
            raise ValueError(f"gamma must be above 0 and below 1, got {self.gamma}")

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, None)

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
            radius = nearest = torch.full((len(active),), torch.inf, device=point.device)
            for step in range(self.steps + 1 if len(active) else 0):
                seen = look(model, point, active, margin, gradient=step < self.steps)
                fooled, size = offer_nearest(standing, point, seen.logits, active, self.norm)
                if step == self.steps:
                    break
                nearest = torch.where(fooled, torch.minimum(nearest, size), nearest)
                gamma = annealed(self.gamma, min(self.gamma, 0.001), step, self.steps)
                known = torch.where(nearest.isfinite(), radius, self._linear(size, seen))
                radius = torch.where(fooled, torch.minimum(radius * (1 - gamma), nearest), known * (1 + gamma))
                length = annealed(self.step_size, self.step_size / 100, step, self.steps)
                change = point - active.inputs + length * unit(seen.gradient, active.keys, "fmn", step)
                point = boxed(active.inputs + inside(change, self.norm, radius))
            return standing.result()

    def _linear(self, size: Tensor, seen: Look) -> Tensor:
        """How far from the example a linear model's boundary would be, (n,)."""
        slope = seen.gradient.flatten(1)
        dual = slope.abs().sum(dim=1) if self.norm == "linf" else torch.linalg.vector_norm(slope, dim=1)
        # On a boundary it is no way at all, and nobody would ever leave a ball of no radius.
        return (size + seen.values.abs() / dual.clamp_min(_TINY)).clamp_min(TOLERANCE)
