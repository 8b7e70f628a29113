"""Targeted FAB against exact distances on linear models, and its own promises."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Norm, distance
from dlcli.attacks.examples import Standing, lent
from dlcli.attacks.fab_t import FABT
from dlcli.attacks.gradients import first_look
from dlcli.attacks.losses import margin
from dlcli.classifier import predicted_classes
from dlcli.contracts import Threat

SHAPE = (1, 4, 5)
NORMS: list[Norm] = ["linf", "l2"]


def within(epsilon: float, model: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """What FAB finds when anything within a radius will do, and which examples still stand then."""
    with lent(model, inputs, targets, rng=None, goals=None) as examples:
        standing = Standing(examples)
        clean = first_look(model, examples, margin, gradient=False)
        standing.offer(inputs, clean.values, examples.fooled(clean.logits))
        FABT(norm="l2").search(model, examples, standing, clean=clean.logits, epsilon=epsilon)
        return standing.result(), standing.rows


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10])
def test_on_a_linear_model_the_distances_are_exact_to_a_percent(
    classes: int, norm: Norm, linear: Any, exact_distances: Any
) -> None:
    model, inputs, targets = linear(classes)
    attacked = FABT(norm=norm)(model, inputs, targets)
    assert (predicted_classes(model(attacked)) != targets).all()
    found, exact = distance(attacked - inputs, norm), exact_distances(model, inputs, norm)
    assert (found >= 0.999 * exact).all()
    assert (found <= 1.01 * exact + 1e-5).all()  # of an image that lies nearly on a boundary, float32 does not show a percent


@pytest.mark.parametrize("norm", NORMS)
def test_on_a_curved_model_more_steps_find_nearer_points(norm: Norm) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, 32), nn.Tanh(), nn.Linear(32, 4))
    nn.init.normal_(model[1].weight)
    inputs = torch.rand(50, *SHAPE)
    targets = predicted_classes(model(inputs))
    found = [FABT(norm=norm, steps=steps)(model, inputs, targets) for steps in (3, 50)]
    fooled = [predicted_classes(model(points)) != targets for points in found]
    assert fooled[1].all()
    near, nearer = (distance(points - inputs, norm)[fooled[0]] for points in found)
    assert (nearer <= near + 1e-6).all()
    assert (nearer < 0.95 * near).any()


def test_the_box_is_taken_into_account_and_not_only_clipped_to() -> None:
    # Class 1 wins where 2a + b > 1.5. From (0.5, 0) in L2 the nearest such point is (0.7, 0.1); with a at 0.95 already, and the
    # boundary at 2a + b > 2.2, a can only reach 1, so b must do the rest: (1, 0.2).
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[2.0, 1.0]]))
        model[1].bias.fill_(-2.2)
    attacked = FABT(norm="l2")(model, torch.tensor([0.95, 0.0]).reshape(1, 1, 1, 2), torch.zeros(1).long())
    assert torch.allclose(attacked.flatten(), torch.tensor([1.0, 0.2]), atol=2e-3)


def test_within_a_radius_exactly_what_is_nearer_is_broken(linear: Any, exact_distances: Any) -> None:
    model, inputs, targets = linear(4)
    distances = exact_distances(model, inputs, "l2")
    epsilon = float(distances.median())
    attacked, rows = within(epsilon, model, inputs, targets)
    standing = predicted_classes(model(attacked)) == targets
    assert rows.tolist() == standing.nonzero().flatten().tolist()
    assert standing[distances > 1.001 * epsilon].all()
    assert not standing[distances < 0.99 * epsilon].any()
    assert distance(attacked - inputs, "l2").max() <= epsilon * (1 + 1e-6)


def test_within_a_radius_what_is_broken_costs_no_more(linear: Any) -> None:
    model, inputs, targets = linear(4)
    sizes: list[int] = []
    model.register_forward_hook(lambda _module, _inputs, output: sizes.append(len(output)))
    within(10.0, model, inputs, targets)
    assert sum(sizes) < 10 * len(inputs)


def test_what_cannot_be_fooled_comes_back_as_the_point_of_highest_margin() -> None:
    class Sure(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            height = inputs.mean(dim=(1, 2, 3))[:, None]
            return torch.cat([torch.full_like(height, 5.0), height], dim=1)

    attacked = FABT(norm="linf")(Sure(), torch.full((2, *SHAPE), 0.5), torch.zeros(2).long())
    assert torch.allclose(attacked, torch.ones_like(attacked))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"targets": 0}, "targets must be at least 1, got 0"),
        ({"norm": "l1"}, "norm must be 'linf' or 'l2', got 'l1'"),
        ({"alpha_max": 1.5}, r"alpha_max must be in \[0, 1\], got 1.5"),
        ({"eta": 0.9}, "eta must be finite and at least 1, got 0.9"),
        ({"eta": float("inf")}, "eta must be finite and at least 1, got inf"),
        ({"beta": 1.0}, "beta must be above 0 and below 1, got 1.0"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FABT(**wrong)


def test_a_minimum_norm_attack_has_no_radius() -> None:
    assert FABT(norm="l2").threat == Threat("l2", None)
