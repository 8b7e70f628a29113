"""The tiny network's derivatives against finite differences and against autograd."""

from __future__ import annotations

import pytest
import torch

from dlcli.engine.chain_rule import chain_rule
from dlcli.randomness import SampleKeys


@pytest.mark.parametrize("unit", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize("seed", range(5))
def test_every_derivative_is_what_finite_differences_say(unit, seed):
    parts = chain_rule(unit=unit, seed=seed)
    assert len(parts) == 10 + 9
    assert max(part.error for part in parts) < 1e-8


@pytest.mark.parametrize(("unit", "function"), [("sigmoid", torch.sigmoid), ("tanh", torch.tanh), ("relu", torch.relu)])
def test_the_products_are_what_autograd_computes(unit, function):
    draws = SampleKeys(3, torch.arange(1)).uniform("chain rule", 0, (11,), low=-1.0, high=1.0)[0].double()
    x = draws[:2]
    u, b, w, c = (part.clone().requires_grad_() for part in (draws[2:6].reshape(2, 2), draws[6:8], draws[8:10], draws[10]))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(w @ function(u @ x + b) + c, torch.tensor(1.0).double())
    loss.backward()
    found = {part.name: part.value for part in chain_rule(unit=unit, seed=3) if not part.local}
    expected = {"∂L/∂c": c.grad, "∂L/∂w2": w.grad[1], "∂L/∂b1": b.grad[0], "∂L/∂u12": u.grad[0, 1], "∂L/∂u21": u.grad[1, 0]}
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), abs=1e-12), name


def test_the_local_slopes_multiply_to_the_products():
    parts = {part.name: part.value for part in chain_rule(unit="tanh", seed=0)}
    along = ("∂L/∂p", "∂p/∂s", "∂s/∂h2", "∂h2/∂z2", "∂z2/∂u21")
    product = 1.0
    for name in along:
        product *= parts[name]
    assert product == pytest.approx(parts["∂L/∂u21"], rel=1e-12)


def test_another_seed_is_another_network():
    first, again, other = (chain_rule(unit="tanh", seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert [part.value for part in first] != [part.value for part in other]
