"""Steps up a loss without a look back: the inner maximisation of adversarial training.

An attack drops examples that are fooled and keeps the best point, and for both it waits for the device at every step. Here no
example leaves and the last point is taken, as in the papers, so nothing waits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Ball, Norm
from dlcli.classifier import borrowed, class_logits

Slope = Callable[[Tensor], Tensor]
"""Logits (N, P), float32 → the gradient of a loss with respect to them, (N, P), each row times any positive number."""


def climb(
    model: nn.Module,
    start: Tensor,
    inputs: Tensor,
    slope: Slope,
    *,
    norm: Norm,
    epsilon: float,
    steps: int,
    step_size: float,
) -> Tensor:
    """Returns the points that ``steps`` steepest steps lead to, (N, ...), inside the ball around ``inputs`` and the box.

    The model is in evaluation mode meanwhile (batch norm by its running statistics, no dropout) and its parameters take no
    gradient; both are given back. The size of a gradient does not matter to a steepest step, so that of the loss with respect to
    the logits may have any: what comes back through the network then neither vanishes nor overflows in half precision.

    Args:
        start: where the climb begins, (N, ...), inside the ball and the box.
        inputs: the unchanged examples, (N, ...).
        step_size: in raw units, in the norm.
    """
    point, ball = start, Ball(inputs, norm, epsilon)
    with borrowed(model):
        for _ in range(steps):
            with torch.enable_grad():
                leaf = point.detach().requires_grad_()
                logits = class_logits(model(leaf))
                weights = slope(logits.detach().float()).to(logits.dtype)
                (gradient,) = torch.autograd.grad(logits, leaf, weights)
            with torch.no_grad():
                point = ball.step(point, gradient, step_size)
    return point.detach()


def away_from(classes: Tensor) -> Slope:
    """Returns the slope of the log-odds of any wrong class, ln (1 - p_y) / p_y, for true classes int64 (N,).

    It has the direction of the cross-entropy's, p - y, and unlike that it does not vanish where the model is sure.
    """
    rows = classes[:, None]

    def slope(logits: Tensor) -> Tensor:
        return logits.scatter(1, rows, -torch.inf).softmax(dim=1).scatter(1, rows, -1.0)

    return slope


def apart_from(probabilities: Tensor) -> Slope:
    """Returns the slope of KL(p ‖ q), the logits' softmax being q, for fixed p (N, P): q - p, stretched to a largest entry of 1.

    Close to the clean point q - p is tiny; stretched, it survives the way back in half precision.
    """

    def slope(logits: Tensor) -> Tensor:
        difference = logits.softmax(dim=1) - probabilities
        return difference / difference.abs().amax(dim=1, keepdim=True).clamp_min(1e-30)

    return slope
