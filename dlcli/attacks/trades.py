"""TRADES: accuracy on the examples, traded against answers that stay the same around them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Ball, Norm
from dlcli.attacks.climb import apart_from, climb
from dlcli.attacks.radius import Radius, check_guard
from dlcli.classifier import borrowed, class_logits
from dlcli.contracts import Batch, Loss, Objective, Threat
from dlcli.randomness import SampleKeys

_START = 0.001  # standard deviation of the noise that the climb starts from: at the example itself the gradient is 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Trades(Objective):
    """L(f(x), y) + β · max_δ KL(f(x) ‖ f(x + δ)) (Zhang et al. 2019, "Theoretically principled trade-off", eq. 5, their code).

    The points climb the divergence from x + 0.001 · N(0, I) on. They are found in evaluation mode, where the clean answers are
    computed once, and then learned from in training mode, where the gradient flows through both answers. The divergence is a
    mean over the examples, none of which counts more by its class. It asks for no label, so shared targets (mixup, cutmix) go
    with it as they are.

    Args:
        loss: of the clean answers, maps (logits, targets) to a scalar.
        beta: weight of the divergence, at least 0: more is more robust and less accurate.
        epsilon, norm, steps, reach, warmup, guard, total_steps: as in :class:`dlcli.attacks.adversarial.Adversarial`.
    """

    loss: nn.Module
    beta: float = 6.0
    epsilon: float
    norm: Norm = "linf"
    steps: int = 10
    reach: float = 2.5
    warmup: float = 0.0
    guard: float | None = None
    total_steps: int = 1

    def __post_init__(self) -> None:
        check_guard(self.guard)
        self.radius.at(0)
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise ValueError(f"beta must be finite and at least 0, got {self.beta}")

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
        """Returns the loss of ``batch`` with its points, and the clean logits."""
        points = self.crafted(model, batch, rng=rng, step=step)
        clean, moved = model(batch.inputs), model(points)
        divergence = nn.functional.kl_div(_log_softmax(moved), _log_softmax(clean), log_target=True, reduction="batchmean")
        return Loss(self.loss(clean, batch.targets) + self.beta * divergence, clean)

    def crafted(self, model: nn.Module, batch: Batch, *, rng: SampleKeys, step: int) -> Tensor:
        """Returns the points that optimizer step ``step`` compares with the examples, (N, ...)."""
        inputs, epsilon = batch.inputs, self.radius.at(step)
        with torch.no_grad(), borrowed(model):
            answers = class_logits(model(inputs)).float().softmax(dim=1)
        noise = _START * rng.normal("adversary/start", step, tuple(inputs.shape[1:]))
        return climb(
            model,
            Ball(inputs, self.norm, epsilon).nearest(inputs + noise),
            inputs,
            apart_from(answers),
            norm=self.norm,
            epsilon=epsilon,
            steps=self.steps,
            step_size=self.radius.step_size(step),
        )


def _log_softmax(logits: Tensor) -> Tensor:
    return class_logits(logits).float().log_softmax(dim=1)
