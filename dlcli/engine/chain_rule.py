"""The chain rule by hand, on a network of two inputs, two hidden units and one output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from dlcli.randomness import SampleKeys

Unit = Literal["sigmoid", "tanh", "relu"]
_STEP = 1e-6
_PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))  # of u: (hidden unit, input)

_UNITS: Mapping[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor], str]] = {
    # unit → its value, its slope from (input z, value h), and how the slope is written
    "sigmoid": (torch.sigmoid, lambda z, h: h * (1 - h), "h(1-h)"),
    "tanh": (torch.tanh, lambda z, h: 1 - h * h, "1-h²"),
    "relu": (torch.relu, lambda z, h: (z > 0).to(z), "1 if z>0 else 0"),
}


@dataclass(frozen=True, kw_only=True)
class Derivative:
    """One derivative of the tiny network.

    Args:
        name: such as "∂L/∂w2".
        rule: how it is put together.
        value: by the chain rule.
        measured: by central differences.
        local: it is a factor of others, the slope of one step of the computation.
    """

    name: str
    rule: str
    value: float
    measured: float
    local: bool

    @property
    def error(self) -> float:
        """How far the two lie apart, in units of the larger of 1 and their size."""
        return abs(self.value - self.measured) / max(1.0, abs(self.value), abs(self.measured))


@dataclass(frozen=True, kw_only=True)
class _Numbers:
    """The network's input (2,), weights u (2, 2), b (2,), w (2,), c (), and its unit; all float64."""

    x: Tensor
    u: Tensor
    b: Tensor
    w: Tensor
    c: Tensor
    unit: Unit

    def hidden(self) -> tuple[Tensor, Tensor]:
        z = self.u @ self.x + self.b
        return z, _UNITS[self.unit][0](z)

    def answer(self) -> Tensor:
        return self.w @ self.hidden()[1] + self.c

    def loss(self) -> Tensor:
        return -torch.sigmoid(self.answer()).log()

    def changed(self, name: str, place: tuple[int, ...], value: Tensor) -> _Numbers:
        parts: dict[str, Any] = {name: _with(getattr(self, name), place, value)}
        return replace(self, **parts)


def chain_rule(*, unit: Unit, seed: int) -> list[Derivative]:
    """Returns every local derivative of a 2-2-1 network, from the loss backwards, then the loss's derivative by each weight.

    z_j = u_j1 x_1 + u_j2 x_2 + b_j, h_j = unit(z_j), s = w_1 h_1 + w_2 h_2 + c, p = sigmoid(s), and the loss is the cross-entropy
    of the label 1, L = -log p. Inputs and weights are drawn evenly from [-1, 1) by ``seed``; all is float64.
    """
    draws = SampleKeys(seed, torch.arange(1)).uniform("chain rule", 0, (11,), low=-1.0, high=1.0)[0].double()
    net = _Numbers(x=draws[:2], u=draws[2:6].reshape(2, 2), b=draws[6:8], w=draws[8:10], c=draws[10], unit=unit)
    return _steps(net) + _products(net)


def _steps(net: _Numbers) -> list[Derivative]:
    """The slope of each step of the computation, from the loss backwards."""
    value_of, slope_of, written = _UNITS[net.unit]
    z, h = net.hidden()
    s, p = net.answer(), torch.sigmoid(net.answer())
    steps = [
        _local("∂L/∂p", "-1/p", -1 / p, lambda t: -t.log(), p),
        _local("∂p/∂s", "p(1-p)", p * (1 - p), torch.sigmoid, s),
    ]
    for j in range(2):
        after = partial(_after_unit, net, h, j)
        steps.append(_local(f"∂s/∂h{j + 1}", f"w{j + 1}", net.w[j], after, h[j]))
    for j in range(2):
        steps.append(_local(f"∂h{j + 1}/∂z{j + 1}", written, slope_of(z, h)[j], value_of, z[j]))
    for j, i in _PLACES:
        before = partial(_before_unit, net, j, i)
        steps.append(_local(f"∂z{j + 1}/∂u{j + 1}{i + 1}", f"x{i + 1}", net.x[i], before, net.u[j, i]))
    return steps


def _after_unit(net: _Numbers, h: Tensor, j: int, value: Tensor) -> Tensor:
    return net.w @ _with(h, (j,), value) + net.c


def _before_unit(net: _Numbers, j: int, i: int, value: Tensor) -> Tensor:
    return net.changed("u", (j, i), value).hidden()[0][j]


def _products(net: _Numbers) -> list[Derivative]:
    """The loss's derivative by each weight: the slopes along the way from the loss to it, multiplied."""
    z, h = net.hidden()
    p = torch.sigmoid(net.answer())
    at_s = (-1 / p) * p * (1 - p)
    at_z = at_s * net.w * _UNITS[net.unit][1](z, h)
    top = "∂L/∂p · ∂p/∂s"
    down = [f"{top} · ∂s/∂h{j} · ∂h{j}/∂z{j}" for j in (1, 2)]
    found: list[tuple[str, tuple[int, ...], str, Tensor]] = [("c", (), top, at_s)]
    found += [("w", (j,), f"{top} · h{j + 1}", at_s * h[j]) for j in range(2)]
    found += [("b", (j,), down[j], at_z[j]) for j in range(2)]
    found += [("u", (j, i), f"{down[j]} · x{i + 1}", at_z[j] * net.x[i]) for j, i in _PLACES]
    parts = []
    for name, place, rule, value in found:
        at = getattr(net, name)[place]
        measured = _difference(partial(_loss_with, net, name, place), at)
        written = f"∂L/∂{name}{''.join(str(number + 1) for number in place)}"
        parts.append(Derivative(name=written, rule=rule, value=float(value), measured=measured, local=False))
    return parts


def _loss_with(net: _Numbers, name: str, place: tuple[int, ...], value: Tensor) -> Tensor:
    return net.changed(name, place, value).loss()


def _local(name: str, rule: str, value: Tensor, function: Callable[[Tensor], Tensor], at: Tensor) -> Derivative:
    return Derivative(name=name, rule=rule, value=float(value), measured=_difference(function, at), local=True)


def _difference(function: Callable[[Tensor], Tensor], at: Tensor) -> float:
    return float((function(at + _STEP) - function(at - _STEP)) / (2 * _STEP))


def _with(tensor: Tensor, place: tuple[int, ...], value: Tensor) -> Tensor:
    """The tensor with one of its numbers replaced."""
    changed = tensor.clone()
    changed[place] = value
    return changed
