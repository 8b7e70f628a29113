"""AutoPGD: projected gradient ascent without a step size to choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.autopgd import autopgd
from dlcli.attacks.balls import Norm, check_epsilon
from dlcli.attacks.examples import Examples, Standing, lent
from dlcli.attacks.gradients import first_look
from dlcli.attacks.losses import Loss, dlr, log_odds
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys

LOSSES: dict[str, Loss] = {"cross_entropy": log_odds, "dlr": dlr}


@dataclass(frozen=True, kw_only=True)
class APGD:
    """AutoPGD (Croce and Hein 2020, "Reliable evaluation of adversarial robustness", §3), with their budget.

    Steps adapt to what they gain, see :func:`dlcli.attacks.autopgd.autopgd`. What comes back is the first point that fools the
    model, else the point of highest loss. With ``goals`` the loss is high where the goal wins. As in the paper and unlike its
    code, gains are counted from the start's loss on, and a tie with ρ keeps the step. Images are clipped to [0, 1]; tables are
    not clipped.

    Args:
        epsilon: radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
        loss: "cross_entropy", or "dlr", the difference of logits ratio, which does not depend on the scale of the logits.
        steps: gradient steps from each start; at least 1.
        restarts: random starts for examples that still stand; at least 1.
    """

    epsilon: float
    norm: Norm = "linf"
    loss: Literal["cross_entropy", "dlr"] = "cross_entropy"
    steps: int = 100
    restarts: int = 1
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.norm)
        check_counts(steps=self.steps, restarts=self.restarts)
        if self.loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {self.loss!r}")

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
        loss = LOSSES[self.loss]
        with lent(model, inputs, targets, rng=rng, goals=goals) as examples:
            standing = Standing(examples)
            clean = first_look(model, examples, loss, gradient=False)
            standing.offer(examples.inputs, clean.values, examples.fooled(clean.logits))
            self.search(model, examples, standing, rank=loss)
            return standing.result()

    def search(self, model: nn.Module, examples: Examples, standing: Standing, *, rank: Loss) -> None:
        """Climbs for those of ``examples`` that stand; points are compared by ``rank``, as those offered before."""
        for restart in range(self.restarts):
            if not len(standing.rows):
                return
            autopgd(
                model,
                examples.take(standing.rows),
                standing,
                loss=LOSSES[self.loss],
                rank=rank,
                norm=self.norm,
                epsilon=self.epsilon,
                steps=self.steps,
                restart=restart,
            )
