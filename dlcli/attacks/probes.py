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
    precision where it only seems to.
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
    single = partial(_slopes, model, examples, directions, torch.float32, step=_SINGLE[0], tolerance=_SINGLE[1])
    (step, tolerance), dtype = _DOUBLE, torch.float64
    try:
        precise = copy.deepcopy(model).double()
        wrong, flat = _slopes(precise, examples, directions, dtype, step=step, tolerance=tolerance)
        if not wrong.any():
            return wrong, flat
        near, far = (_differences(precise, examples, directions, dtype, factor * step) for factor in (1, 2))
    except (RuntimeError, TypeError, NotImplementedError):  # it works in single precision only, or cannot be copied
        return single()
    # A network that casts to single precision inside is a staircase for steps so short; longer ones show its slope.
    stairs, _ = _differ(near, far, tolerance)
    return torch.where(wrong & stairs, single()[0], wrong), flat


def _slopes(
    model: nn.Module, examples: Examples, directions: int, dtype: torch.dtype, *, step: float, tolerance: float
) -> tuple[Tensor, Tensor]:
    """The same in one precision, with steps of one length."""
    points = _points(examples, dtype)
    with torch.enable_grad():
        leaf = points.clone().requires_grad_()
        loss = _values(model, leaf.clone(), examples)
        gradient = torch.zeros_like(points)
        if loss.requires_grad:
            gradient = torch.autograd.grad(loss.sum(), leaf, materialize_grads=True)[0]
    claimed = [(gradient * _way(examples, number, dtype)).flatten(1).sum(dim=1) for number in range(directions)]
    return _differ(torch.stack(claimed, dim=1), _differences(model, examples, directions, dtype, step), tolerance)


def _differences(model: nn.Module, examples: Examples, directions: int, dtype: torch.dtype, step: float) -> Tensor:
    """Slopes along the directions, (N, directions), from a step to either side."""
    points, seen = _points(examples, dtype), []
    for number in range(directions):
        way = step * _way(examples, number, dtype)
        seen.append((_values(model, points + way, examples) - _values(model, points - way, examples)) / (2 * step))
    return torch.stack(seen, dim=1)


def _differ(first: Tensor, second: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Which examples have slopes, (N, directions), that differ by more than this share, and which have none in either."""
    largest = torch.maximum(first.norm(dim=1), second.norm(dim=1))
    error = (first - second).norm(dim=1) / largest.clamp_min(1e-30)
    return ~(error <= tolerance), largest < 1e-9


def _points(examples: Examples, dtype: torch.dtype) -> Tensor:
    # An even background puts max pooling exactly at its kink, where there is no one slope: a little noise leads away from it.
    noise = in_ball(examples.keys, "probe/off", 0, tuple(examples.inputs.shape[1:]), norm="linf", epsilon=_OFF)
    return examples.inputs.to(dtype) + noise.to(dtype)


def _way(examples: Examples, number: int, dtype: torch.dtype) -> Tensor:
    return on_sphere(examples.keys, "probe", number, tuple(examples.inputs.shape[1:]), norm="l2", epsilon=1.0).to(dtype)


def _values(model: nn.Module, points: Tensor, examples: Examples) -> Tensor:
    return log_odds(class_logits(model(points)).to(points.dtype), examples)
