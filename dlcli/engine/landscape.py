"""The loss as a function of the weights: along lines and over planes through a trained network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dlcli.classifier import borrowed, predicted_classes
from dlcli.contracts import Batch
from dlcli.engine.gradient_flow import example_losses
from dlcli.randomness import SampleKeys, borrowed_rng, key

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Heights:
    """What a network does at several points of weight space.

    Args:
        losses: mean cross-entropy at each, float64 (P,).
        accuracies: share of right answers, float64 (P,).
    """

    losses: Tensor
    accuracies: Tensor


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Returns copies of a model's parameters by name."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Returns copies of parameters and of buffers that are fractions, such as BatchNorm's running statistics."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items() if tensor.is_floating_point()}


def filter_normalised(weights: Weights, *, seed: int, number: int) -> dict[str, Tensor]:
    """Returns a random direction in which every filter is as long as the network's own, so that scales can be compared.

    A filter is what makes one output: d_f ← d_f · ‖θ_f‖ / ‖d_f‖. What has one dimension or none (biases, norms) stays.
    Source: Li et al. 2018, "Visualizing the loss landscape of neural nets", §4.

    Args:
        number: of the direction; others are drawn independently.
    """
    direction = {}
    for name, weight in weights.items():
        if weight.ndim < 2:
            direction[name] = torch.zeros_like(weight)
            continue
        rng = SampleKeys(key(seed, name), torch.tensor([number]))
        draw = rng.normal("landscape", 0, (weight.numel(),)).to(weight).reshape(weight.shape)
        rows, own = draw.flatten(1), weight.flatten(1)
        scale = own.norm(dim=1, keepdim=True) / rows.norm(dim=1, keepdim=True).clamp_min(torch.finfo(draw.dtype).tiny)
        direction[name] = (rows * scale).reshape(weight.shape)
    return direction


def moved(weights: Weights, directions: Sequence[Weights], distances: Sequence[float]) -> dict[str, Tensor]:
    """Returns the weights moved along directions, each by its distance; a name that a direction lacks stays."""
    result = dict(weights)
    for direction, distance in zip(directions, distances, strict=True):
        for name, step in direction.items():
            result[name] = result[name] + distance * step
    return result


def between(start: Weights, end: Weights, share: float) -> dict[str, Tensor]:
    """Returns the point at ``share`` of the straight way, 0 at the start and 1 at the end, both exactly."""
    return {name: torch.lerp(tensor, end[name], share) for name, tensor in start.items()}


def heights(
    model: nn.Module, batches: Sequence[Batch], points: Iterable[Weights], *, check: Callable[[], None] = lambda: None
) -> Heights:
    """Returns the loss and the accuracy on the same examples at each point of weight space.

    Evaluation mode; the model itself is not touched: the weights stand in for its own during a call. What a point does not name,
    such as BatchNorm's running statistics, stays the model's own.

    Args:
        check: called before each point; may raise to stop (a signal).
    """
    losses, hits = [], []
    count = sum(len(batch.targets) for batch in batches)
    with torch.inference_mode(), borrowed(model), borrowed_rng():
        for point in points:
            check()
            loss, right = 0.0, 0
            for batch in batches:
                logits = functional_call(model, dict(point), (batch.inputs,))
                loss += float(example_losses(logits, batch.targets).double().sum())
                right += int((predicted_classes(logits) == batch.targets).sum())
            losses.append(loss / count)
            hits.append(right / count)
    return Heights(torch.tensor(losses, dtype=torch.float64), torch.tensor(hits, dtype=torch.float64))


@dataclass(frozen=True, eq=False)
class Plane:
    """A grid of losses over two directions.

    Args:
        x, y: distances along the first and the second direction, float64 (W,) and (H,).
        losses: float64 (H, W).
    """

    x: Tensor
    y: Tensor
    losses: Tensor


def plane(
    model: nn.Module,
    batches: Sequence[Batch],
    center: Weights,
    directions: tuple[Weights, Weights],
    *,
    x: Tensor,
    y: Tensor,
    check: Callable[[], None] = lambda: None,
) -> Plane:
    """Returns the losses around ``center`` at every pair of distances; see :func:`heights`."""
    points = (moved(center, directions, (float(across), float(up))) for up in y for across in x)
    return Plane(x, y, heights(model, batches, points, check=check).losses.reshape(len(y), len(x)))
