"""One climb through balls of rising radius: the whole curve of robust accuracy for little more than one attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.autopgd import autopgd
from dlcli.attacks.balls import Norm, check_epsilon
from dlcli.attacks.examples import Standing, lent
from dlcli.attacks.gradients import first_look
from dlcli.attacks.losses import log_odds, margin
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """AutoPGD on the cross-entropy (Croce and Hein 2020, "Reliable evaluation of adversarial robustness") at radius after radius.

    An example leaves at the first radius at which it is broken: larger balls hold the smaller ones, so it is broken in all that
    follow. One that stands goes on from its best point so far. What comes back is the point that fooled the model, at most one
    radius of the list away from the smallest that this attack needs, else the point of highest margin. Images are clipped to
    [0, 1]; tables are not clipped.

    Args:
        radii: in raw units, rising, above 0; in Linf at most 1.
        norm: "linf" or "l2".
        steps: gradient steps at each radius; at least 1.
    """

    radii: Sequence[float]
    norm: Norm = "linf"
    steps: int = 10
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        for radius in self.radii:
            check_epsilon(radius, self.norm)
        if not self.radii or self.radii[0] <= 0 or any(later <= earlier for earlier, later in pairwise(self.radii)):
            raise ValueError(f"radii must rise from above 0, got {list(self.radii)}")
        check_counts(steps=self.steps)

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.radii[-1])

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
            standing = Standing(examples)
            clean = first_look(model, examples, margin, gradient=False)
            standing.offer(examples.inputs, clean.values, examples.fooled(clean.logits))
            for rung, radius in enumerate(self.radii):
                if not len(standing.rows):
                    break
                autopgd(
                    model,
                    examples.take(standing.rows),
                    standing,
                    loss=log_odds,
                    rank=margin,
                    norm=self.norm,
                    epsilon=radius,
                    steps=self.steps,
                    restart=rung,
                    start=standing.points if rung else None,
                )
            return standing.result()
