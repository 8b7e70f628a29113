"""A look at every layer while it learns: do gradients reach it, does it move, are its units alive?"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

_RECTIFIERS = (nn.ReLU, nn.ReLU6)
# Activations that flatten out at both ends: the range of their values.
_SQUASHERS: dict[type[nn.Module], tuple[float, float]] = {nn.Sigmoid: (0.0, 1.0), nn.Tanh: (-1.0, 1.0)}
_NEAR_THE_END = 0.05  # share of the range at either end that counts as saturated


class Watch:
    """An observer of a fit that measures every ``every``-th step and changes nothing.

    The numbers, each under ``watch/<what>/<layer>``:

    - ``grad_norm``: the L2 norm of the gradient of a layer's own parameters, before clipping.
    - ``weight_norm``: that of the parameters.
    - ``update_ratio``: the norm of what the optimizer adds, relative to it; about 0.001 is usual.
    - ``dead``: the share of a ReLU's units (channels of an image) that are zero for the whole batch.
    - ``saturated``: the share of a sigmoid's or tanh's values that lie within 5 % of the ends of its range, where its slope is
      nearly zero (Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks").

    Layers are the modules that own a weight matrix or a kernel, in the model's order.

    Args:
        optimizer: the one that moves the model's weights.
        every: steps between two measurements, at least 1; the step that completes them is measured.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, *, every: int) -> None:
        self.every = every
        self._optimizer = optimizer
        self._seen: list[tuple[str, float]] = []
        self._pending: Any = None

    def __call__(self, model: nn.Module, inputs: Tensor, step: int) -> None:
        """Measures step number ``step``, counted from 0, if it is one to be measured; called between backward and step."""
        if self._pending is not None:  # a loss scaler left out the step before
            self._pending.remove()
            self._pending = None
        if (step + 1) % self.every:
            return
        self._seen = []
        layers = dict(_layers(model))
        with torch.no_grad():
            self._note("grad_norm", {name: [p.grad for p in own if p.grad is not None] for name, own in layers.items()})
            self._note("weight_norm", layers)
            before = {name: [parameter.clone() for parameter in own] for name, own in layers.items()}
            shares = _activity(model, inputs)
        names, values = list(shares), torch.stack([*shares.values()]).tolist() if shares else []
        self._seen += zip(names, values, strict=True)
        self._pending = self._optimizer.register_step_post_hook(self._after_step(layers, before))

    def take(self) -> list[tuple[str, float]]:
        """Returns the (name, value) pairs that were measured since the last call."""
        seen, self._seen = self._seen, []
        return seen

    def _after_step(self, layers: dict[str, list[Tensor]], before: dict[str, list[Tensor]]) -> Callable[..., None]:
        def measure(*_: Any) -> None:
            self._pending.remove()
            self._pending = None
            with torch.no_grad():
                moved = {name: [new - old for new, old in zip(own, before[name], strict=True)] for name, own in layers.items()}
                ratios = torch.stack([_norm(moved[name]) / _norm(before[name]) for name in layers]) if layers else torch.zeros(0)
            self._seen += [(f"watch/update_ratio/{name}", value) for name, value in zip(layers, ratios.tolist(), strict=True)]

        return measure

    def _note(self, what: str, tensors: dict[str, list[Tensor]]) -> None:
        """Adds the joint norm of each layer's tensors, with one synchronisation for all."""
        there = {name: own for name, own in tensors.items() if own}
        if there:
            values = torch.stack([_norm(own) for own in there.values()]).tolist()
            self._seen += [(f"watch/{what}/{name}", value) for name, value in zip(there, values, strict=True)]


def _layers(model: nn.Module) -> Iterator[tuple[str, list[Tensor]]]:
    """Yields the modules that own a trainable weight of two or more dimensions, each with all that it owns."""
    for name, module in model.named_modules():
        own: list[Tensor] = [parameter for parameter in module.parameters(recurse=False) if parameter.requires_grad]
        if any(parameter.ndim >= 2 for parameter in own):
            yield name, own


def _norm(tensors: list[Tensor]) -> Tensor:
    """Returns the L2 norm of all numbers in ``tensors`` together, float32."""
    norm: Tensor = torch.stack([tensor.float().norm() for tensor in tensors]).norm()
    return norm


def _activity(model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
    """Returns the idle share of each activation layer, by metric name, from one more forward pass in the model's own mode.

    A pass of its own, because code that is already compiled ignores hooks. Buffers such as BatchNorm's statistics come back
    as they were, and hooks are gone afterwards.
    """
    idle: dict[str, list[Tensor]] = {}
    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, _RECTIFIERS):
            hooks.append(module.register_forward_hook(_collector(idle.setdefault(f"watch/dead/{name}", []), _dead)))
        elif (ends := _SQUASHERS.get(type(module))) is not None:
            judge = functools.partial(_saturated, low=ends[0], high=ends[1])
            hooks.append(module.register_forward_hook(_collector(idle.setdefault(f"watch/saturated/{name}", []), judge)))
    if not hooks:
        return {}
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
        for buffer, own in buffers:
            buffer.copy_(own)
    # A module that is called several times, as in residual blocks, counts all its units.
    return {name: torch.cat(found).float().mean() for name, found in idle.items() if found}


def _collector(found: list[Tensor], judge: Callable[[Tensor], Tensor]) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        found.append(judge(output))

    return hook


def _dead(values: Tensor) -> Tensor:
    """Returns which units are zero throughout, bool (U,): channels, dimension 1, or of sequences (N, T, D) the last dimension."""
    unit = 2 if values.ndim == 3 else 1
    others = [dim for dim in range(values.ndim) if dim != unit]
    return values.amax(dim=others) <= 0


def _saturated(values: Tensor, *, low: float, high: float) -> Tensor:
    """Returns which values lie near an end of [low, high], bool, flat."""
    margin = _NEAR_THE_END * (high - low)
    return ((values < low + margin) | (values > high - margin)).flatten()
