"""Training on the worst points around the examples: Madry's min-max training, and with one step its fast form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from dlcli.attacks.balls import Norm, boxed
from dlcli.attacks.climb import away_from, climb
from dlcli.attacks.radius import Radius, check_guard
from dlcli.attacks.starts import in_ball
from dlcli.contracts import Batch, Loss, Objective, Threat
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True, eq=False)
class Adversarial(Objective):
    """The loss at the points that gradient steps find around the examples, min_θ E max_δ L(f(x + δ), y).

    Several steps are the adversarial training of Madry et al. 2018, "Towards deep learning models", §2.1; one step of 1.25 ε from
    a uniform start is that of Wong, Rice and Kolter 2020, "Fast is better than free", Alg. 3.

    The points climb the log-odds of any wrong class, whatever the loss is: it orders points like the cross-entropy. They are
    found in evaluation mode and then learned from in training mode. Where a target is shared between classes (mixup, cutmix),
    they move away from the class with the largest share, and the loss still takes the shares.

    Args:
        loss: maps (logits, targets) to a scalar.
        epsilon: radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
        steps: gradient steps; each costs about two thirds of a plain training step.
        reach: length of all steps together in units of ε, above 0: each is reach · ε / steps long.
        random_start: False starts at the example itself.
        clip_start: the random start is brought into [0, 1]; the points always are. Where most pixels are 0 or 1, as on MNIST, one
            step from a clipped start ends at an extreme in nearly all of them, and the model learns no other points: with
            False, as in the code of Wong et al., 12,800 images and four epochs gave 29 % robust accuracy in place of 5 %.
        warmup: share of the run over which ε rises from 0, in [0, 1].
        guard: training ends where robust accuracy on val falls by more than this below its best, in (0, 1); None never.
        total_steps: optimizer steps of the run; given at build time.
    """

    loss: nn.Module
    epsilon: float
    norm: Norm = "linf"
    steps: int = 7
    reach: float = 2.5
    random_start: bool = True
    clip_start: bool = True
    warmup: float = 0.0
    guard: float | None = None
    total_steps: int = 1

    def __post_init__(self) -> None:
        check_guard(self.guard)
        self.radius.at(0)

    @cached_property
    def radius(self) -> Radius:
        """The radius step by step."""
        return Radius(
            epsilon=self.epsilon,
            norm=self.norm,
            steps=self.steps,
            reach=self.reach,
            warmup=self.warmup,
            total_steps=self.total_steps,
        )

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.epsilon)

    def __call__(self, model: nn.Module, batch: Batch, *, rng: SampleKeys, step: int) -> Loss:
        """Returns the loss at the points found for ``batch``, and the logits there."""
        logits = model(self.crafted(model, batch, rng=rng, step=step))
        return Loss(self.loss(logits, batch.targets), logits)

    def crafted(self, model: nn.Module, batch: Batch, *, rng: SampleKeys, step: int) -> Tensor:
        """Returns the points that optimizer step ``step`` learns from, (N, ...)."""
        inputs, epsilon = batch.inputs, self.radius.at(step)
        start = inputs
        if self.random_start:
            noise = in_ball(rng, "adversary/start", step, tuple(inputs.shape[1:]), norm=self.norm, epsilon=epsilon)
            start = boxed(inputs + noise) if self.clip_start else inputs + noise
        classes = batch.targets if batch.targets.ndim == 1 else batch.targets.argmax(dim=1)
        return climb(
            model,
            start,
            inputs,
            away_from(classes),
            norm=self.norm,
            epsilon=epsilon,
            steps=self.steps,
            step_size=self.radius.step_size(step),
        )
