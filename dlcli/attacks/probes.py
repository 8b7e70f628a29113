"""What a look at a model's gradient and outputs says of them: numbers from which gradient masking is judged."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from dlcli.attacks.examples import Examples, lent
from dlcli.attacks.gradients import look
from dlcli.attacks.losses import log_odds
from dlcli.attacks.starts import in_ball, on_sphere
from dlcli.classifier import class_logits
from dlcli.randomness import SampleKeys

# Length of a step to either side, and the relative error at which two slopes differ: in double and in single precision.
_DOUBLE, _SINGLE = (1e-6, 0.1), (2e-3, 0.3)
_OFF = 0.01


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Shares of the examples, in [0, 1].

    Args:
        zero_cross_entropy, zero_log_odds: whose gradient of this loss is zero in every entry.
        disagreeing: whose slopes by autograd and by finite differences differ, among those that have one.
        flat: that have no slope by either.
        change: largest difference of two logits between two passes, over the spread of all logits.
        flips: whose predicted class differs between two passes.
        are_probabilities: outputs are not negative and add up to one; of one logit, all lie in [0, 1].
        binary: the model has one logit.
    """

    zero_cross_entropy: float
    zero_log_odds: float
    disagreeing: float
    flat: float
    change: float
    flips: float
    are_probabilities: bool
    binary: bool


def probe(model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None, directions: int = 8) -> Probes:
    """Returns what the gradient and the outputs of ``model`` are like at ``inputs``, (N, ...), N at least 1.

    Slopes are those of the log-odds along random directions, in double precision where the model can compute in it, and in single
    precision once more where they differ there.
    """
    with lent(model, inputs, targets, rng=rng, goals=None) as examples:
        outputs = [model(examples.inputs.clone()).float() for _ in range(2)]
        first, second = (class_logits(output) for output in outputs)
        spread = float(first.std()) if first.numel() > 1 else 0.0
        zero = {
            name: _is_zero(look(model, examples.inputs, examples, loss).gradient)
            for name, loss in (("cross_entropy", _cross_entropy), ("log_odds", log_odds))
        }
        wrong, flat = _compared(model, examples, directions)
        steep = max(int((~flat).sum()), 1)
        return Probes(
            zero_cross_entropy=float(zero["cross_entropy"].float().mean()),
            zero_log_odds=float(zero["log_odds"].float().mean()),
            disagreeing=int((wrong & ~flat).sum()) / steep,
            flat=float(flat.float().mean()),
            change=float((first - second).abs().max()) / max(spread, 1e-12),
            flips=float((first.argmax(dim=1) != second.argmax(dim=1)).float().mean()),
            are_probabilities=_are_probabilities(outputs[0]),
            binary=outputs[0].shape[1] == 1,
        )


def _cross_entropy(logits: Tensor, examples: Examples) -> Tensor:
    return nn.functional.cross_entropy(logits, examples.targets, reduction="none")


def _is_zero(gradient: Tensor) -> Tensor:
    return (gradient.flatten(1) == 0).all(dim=1)


def _are_probabilities(outputs: Tensor) -> bool:
    if outputs.shape[1] == 1:
        return bool(((outputs >= 0) & (outputs <= 1)).all())
    return bool((outputs >= -1e-6).all() and ((outputs.sum(dim=1) - 1).abs() < 1e-4).all())


def _compared(model: nn.Module, examples: Examples, directions: int) -> tuple[Tensor, Tensor]:
    """Which examples have slopes that differ, and which have none, bool (N,) each."""
    single = partial(_slopes, model, examples, directions, dtype=torch.float32, step=_SINGLE[0], tolerance=_SINGLE[1])
    try:
        precise = copy.deepcopy(model).double()
        wrong, flat = _slopes(precise, examples, directions, dtype=torch.float64, step=_DOUBLE[0], tolerance=_DOUBLE[1])
    except (RuntimeError, TypeError, NotImplementedError):  # it works in single precision only, or cannot be copied
        return single()
    # One that casts to single precision inside is a staircase for steps so short: what is wrong is so for longer ones, too.
    return wrong & single()[0] if wrong.any() else wrong, flat


def _slopes(
    model: nn.Module, examples: Examples, directions: int, *, dtype: torch.dtype, step: float, tolerance: float
) -> tuple[Tensor, Tensor]:
    # An even background puts max pooling exactly at its kink, where there is no one slope: a little noise leads away from it.
    noise = in_ball(examples.keys, "probe/off", 0, tuple(examples.inputs.shape[1:]), norm="linf", epsilon=_OFF)
    points = examples.inputs.to(dtype) + noise.to(dtype)

    def values(at: Tensor) -> Tensor:
        return log_odds(class_logits(model(at)).to(dtype), examples)

    with torch.enable_grad():
        leaf = points.clone().requires_grad_()
        loss = values(leaf.clone())
        gradient = torch.zeros_like(points)
        if loss.requires_grad:
            gradient = torch.autograd.grad(loss.sum(), leaf, materialize_grads=True)[0]
    claimed, seen = [], []
    for number in range(directions):
        way = on_sphere(examples.keys, "probe", number, tuple(points.shape[1:]), norm="l2", epsilon=1.0).to(dtype)
        claimed.append((gradient * way).flatten(1).sum(dim=1))
        seen.append((values(points + step * way) - values(points - step * way)) / (2 * step))
    by_autograd, by_differences = torch.stack(claimed, dim=1), torch.stack(seen, dim=1)
    largest = torch.maximum(by_autograd.norm(dim=1), by_differences.norm(dim=1))
    flat = largest < 1e-9
    error = (by_autograd - by_differences).norm(dim=1) / largest.clamp_min(1e-30)
    return ~(error <= tolerance), flat
