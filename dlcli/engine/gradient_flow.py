"""How activations grow and gradients shrink from layer to layer, and whether a gradient is what finite differences say."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed, class_logits
from dlcli.contracts import Batch
from dlcli.randomness import SampleKeys, borrowed_rng

_STEP = 1e-7  # times the weights' scale: small, as a step that crosses a kink of relu or max-pool is no slope


@dataclass(frozen=True, kw_only=True)
class LayerFlow:
    """What passes one layer with weights, in the order in which the layers run.

    Args:
        name: dotted.
        kind: its class.
        activation: root mean square of its outputs.
        signal: how much loss gradient arrives: the mean over examples of ‖∂ℓ_i/∂output_i‖₂.
        weight: ‖W‖₂ of its weight, biases left out.
        gradient: ‖∂L/∂W‖₂ of the mean loss L.
    """

    name: str
    kind: str
    activation: float
    signal: float
    weight: float
    gradient: float

    @property
    def share(self) -> float:
        """The gradient beside the weight that it changes, ‖∂L/∂W‖ / ‖W‖; NaN for a weight of zeros."""
        return self.gradient / self.weight if self.weight else math.nan


def gradient_flow(model: nn.Module, batch: Batch) -> list[LayerFlow]:
    """Returns the flow through every layer with a weight of two or more dimensions, for the cross-entropy of ``batch``.

    Evaluation mode: BatchNorm keeps its running statistics, so each example's gradient is its own. A layer that runs more than
    once counts all its runs together; one that no gradient reaches has signal and gradient 0.
    """
    layers = {name: module for name, module in model.named_modules() if _has_matrix(module)}
    outputs: dict[str, list[Tensor]] = {}
    handles = [layer.register_forward_hook(_keeping(outputs, name)) for name, layer in layers.items()]
    try:
        with torch.inference_mode(False), torch.enable_grad(), borrowed(model), borrowed_rng():
            for parameter in model.parameters():
                parameter.requires_grad_(True)
            losses = example_losses(model(batch.inputs.clone()), batch.targets)
            order = list(outputs)
            seen = [tensor for name in order for tensor in outputs[name]]
            weights = [layers[name].get_parameter("weight") for name in order]
            found = list(torch.autograd.grad(losses.sum(), [*seen, *weights], materialize_grads=True, allow_unused=True))
    finally:
        for handle in handles:
            handle.remove()
    flows = []
    for name, gradient in zip(order, found[len(seen) :], strict=True):
        arriving, found = found[: len(outputs[name])], found[len(outputs[name]) :]
        size = float(gradient.double().norm()) / len(batch.targets)
        flows.append(_flow((name, layers[name]), outputs[name], arriving, gradient=size))
    return flows


def example_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns each example's cross-entropy in nats, (N,), of logits (N, K) and class numbers (N,)."""
    return nn.functional.cross_entropy(class_logits(logits).float(), targets, reduction="none")


def _has_matrix(module: nn.Module) -> bool:
    weight = module._parameters.get("weight")
    return weight is not None and weight.ndim >= 2


def _keeping(outputs: dict[str, list[Tensor]], name: str) -> Callable[..., Tensor | None]:
    def hook(_module: nn.Module, _arguments: tuple[object, ...], output: object) -> Tensor | None:
        if not isinstance(output, Tensor) or not output.requires_grad:
            return None
        outputs.setdefault(name, []).append(output)
        # What follows gets a copy, as it may work in place: that would change what was kept.
        return output.clone()

    return hook


def _flow(layer: tuple[str, nn.Module], outputs: list[Tensor], gradients: list[Tensor], *, gradient: float) -> LayerFlow:
    values = torch.cat([output.detach().flatten(1).double() for output in outputs], dim=1)
    signal = torch.cat([arriving.flatten(1).double() for arriving in gradients], dim=1)
    name, module = layer
    return LayerFlow(
        name=name,
        kind=type(module).__name__,
        activation=float(values.square().mean().sqrt()),
        signal=float(signal.norm(dim=1).mean()),
        weight=float(module.get_parameter("weight").detach().double().norm()),
        gradient=gradient,
    )


def gradient_check(model: nn.Module, batch: Batch, *, directions: int, seed: int) -> list[tuple[float, float]]:
    """Returns pairs (slope by backpropagation, slope by central differences) along random directions in weight space.

    A copy of the model works in float64; a direction is drawn like the weights, parameter by parameter, so that each step
    moves every weight by about 1e-7 of its size.
    """
    twin = copy.deepcopy(model).double().eval().requires_grad_(True)
    inputs = batch.inputs.double()
    parameters = [parameter for parameter in twin.parameters() if parameter.numel()]

    def loss() -> Tensor:
        return nn.functional.cross_entropy(class_logits(twin(inputs)), batch.targets)

    with torch.inference_mode(False), torch.enable_grad(), borrowed_rng():
        gradients = torch.autograd.grad(loss(), parameters, materialize_grads=True, allow_unused=True)
    pairs = []
    with torch.no_grad(), borrowed_rng():
        for number in range(directions):
            steps = [_direction(parameter, place, number, seed=seed) for place, parameter in enumerate(parameters)]
            slope = sum(float((gradient * step).sum()) for gradient, step in zip(gradients, steps, strict=True))
            ends = []
            for sign in (1.0, -1.0):
                for parameter, step in zip(parameters, steps, strict=True):
                    parameter.add_(step, alpha=sign * _STEP)
                ends.append(float(loss()))
                for parameter, step in zip(parameters, steps, strict=True):
                    parameter.sub_(step, alpha=sign * _STEP)
            pairs.append((slope, (ends[0] - ends[1]) / (2 * _STEP)))
    return pairs


def _direction(parameter: Tensor, place: int, number: int, *, seed: int) -> Tensor:
    draws = SampleKeys(seed, torch.tensor([place])).normal("gradient check", number, (parameter.numel(),))
    scale = parameter.abs().mean().clamp_min(1e-3)
    return draws.to(parameter).reshape(parameter.shape) * scale
