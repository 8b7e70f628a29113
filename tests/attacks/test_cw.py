"""Carlini and Wagner's attack against torch's own Adam, exact distances on linear models, and faults of other libraries."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.balls import distance
from dlcli.attacks.cw import CW
from dlcli.classifier import predicted_classes
from dlcli.contracts import Threat

SHAPE = (1, 4, 5)


class Recorded(nn.Module):
    """A model that keeps every batch that it was shown."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.seen = inner, list[Tensor]()

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(inputs.detach().clone())
        return self.inner(inputs)


def lead(logits: Tensor, classes: Tensor) -> Tensor:
    """By how much these classes lead all others."""
    return logits.gather(1, classes[:, None]).squeeze(1) - logits.scatter(1, classes[:, None], -torch.inf).amax(dim=1)


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10])
def test_on_a_linear_model_the_distances_are_exact_to_two_percent(classes: int, wide_linear: Any, exact_distances: Any) -> None:
    model, inputs, targets = wide_linear(classes)
    attacked = CW(steps=300)(model, inputs, targets)
    assert (predicted_classes(model(attacked)) != targets).all()
    exact = exact_distances(model, inputs, "l2")
    ratio = distance(attacked - inputs, "l2") / exact
    assert ratio.min() >= 0.999
    # A step of 0.01 in each of 144 pixels is 0.06 long, so for what is nearer it is too coarse.
    assert ratio[exact > 0.06].median() <= 1.02


def test_a_descent_is_torchs_adam_on_the_papers_loss(linear: Any) -> None:
    inner, inputs, targets = linear(4)
    model, const = Recorded(inner), 0.5
    CW(search_steps=1, steps=25, step_size=0.05, initial_const=const, abort_early=False)(model, inputs, targets)
    place = torch.atanh((2 * inputs - 1) * (1 - 1e-6)).requires_grad_()
    adam = torch.optim.Adam([place], lr=0.05)
    for points in model.seen[1:]:
        expected = (place.tanh() + 1) / 2
        assert torch.allclose(points, expected, atol=1e-5)
        pull = lead(inner(expected), targets).clamp_min(0).sum()
        adam.zero_grad()
        ((expected - inputs).square().sum() + const * pull).backward()
        adam.step()


def test_pixels_that_are_quite_black_or_white_move_too() -> None:
    # Without the shrinking they would be infinitely far away in w; one library then changes nothing at all.
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, 3))
    inputs = (torch.rand(30, *SHAPE) > 0.5).float()
    targets = predicted_classes(model(inputs))
    attacked = CW(steps=200, step_size=0.1)(model, inputs, targets)
    assert (predicted_classes(model(attacked)) != targets).all()
    assert ((attacked >= 0) & (attacked <= 1)).all()


def test_logits_below_zero_make_no_difference(wide_linear: Any) -> None:
    model, inputs, targets = wide_linear(4)
    attacked = CW(steps=50)(model, inputs, targets)
    with torch.no_grad():
        model[1].bias -= 100
    assert torch.allclose(CW(steps=50)(model, inputs, targets), attacked, atol=1e-2)


def test_with_confidence_the_lead_in_logits_is_at_least_that_and_hardly_more(wide_linear: Any) -> None:
    model, inputs, targets = wide_linear(4)
    attacked = CW(confidence=0.2, steps=300)(model, inputs, targets)
    beyond = -lead(model(attacked), targets)
    assert beyond.min() >= 0.2 - 1e-6
    assert beyond.median() < 0.21


@pytest.mark.parametrize("confidence", [0.0, 0.1])
def test_with_goals_the_goal_leads_all_others(confidence: float, wide_linear: Any) -> None:
    model, inputs, targets = wide_linear(4)
    goals = (targets + 1) % 4
    attacked = CW(confidence=confidence, steps=300)(model, inputs, targets, goals=goals)
    assert (predicted_classes(model(attacked)) == goals).all()
    assert lead(model(attacked), goals).min() >= confidence - 1e-6
    assert lead(model(attacked), goals).median() < confidence + 0.02


def test_the_search_finds_a_weight_wherever_it_begins(wide_linear: Any) -> None:
    model, inputs, targets = wide_linear(3)
    attacks = [CW(initial_const=const, steps=200) for const in (1e-4, 10.0)]
    found = [float(distance(attack(model, inputs, targets) - inputs, "l2").median()) for attack in attacks]
    assert found[0] / found[1] == pytest.approx(1, abs=0.02)


def test_more_searches_find_nearer_points(wide_linear: Any) -> None:
    model, inputs, targets = wide_linear(3)
    once, often = (
        distance(CW(initial_const=10.0, search_steps=count, steps=50)(model, inputs, targets) - inputs, "l2") for count in (1, 6)
    )
    assert (often <= once).all()
    assert (often < 0.9 * once).float().mean() > 0.5


def test_what_comes_back_is_the_nearest_point_that_fooled_of_all_that_were_looked_at(linear: Any) -> None:
    inner, inputs, targets = linear(3)
    model = Recorded(inner)
    attacked = CW(steps=20, search_steps=3, initial_const=1.0, abort_early=False)(model, inputs[:1], targets[:1])
    fooling = [points for points in model.seen if predicted_classes(inner(points)) != targets[:1]]
    assert len(fooling) > 10
    assert torch.equal(attacked, min(fooling, key=lambda points: float(distance(points - inputs[:1], "l2"))))


def test_who_never_leads_by_the_confidence_comes_back_as_the_point_of_highest_lead(linear: Any) -> None:
    inner, inputs, targets = linear(3)
    model = Recorded(inner)
    attacked = CW(confidence=100.0, steps=20, search_steps=3, step_size=0.1)(model, inputs[:1], targets[:1])
    leads = [-lead(inner(points), targets[:1]).item() for points in model.seen]
    assert -lead(inner(attacked), targets[:1]).item() == max(leads) > 0


def test_the_cost_is_that_of_all_descents_and_the_first_and_the_last_looks(wide_linear: Any) -> None:
    inner, inputs, targets = wide_linear(3)
    model = Recorded(inner)
    CW(steps=7, search_steps=3, abort_early=False)(model, inputs, targets)
    assert [len(points) for points in model.seen] == [50] * (1 + 3 * 8)


def test_an_example_that_makes_no_progress_leaves_the_descent_and_the_others_go_on(wide_linear: Any) -> None:
    inner, inputs, targets = wide_linear(3)
    model = Recorded(inner)
    CW(steps=100, search_steps=1, initial_const=1.0)(model, inputs, targets)
    sizes = [len(points) for points in model.seen]
    assert len(set(sizes)) > 2
    # Ten times, the first time before there is anything to compare with.
    assert {step for step in range(2, len(sizes)) if sizes[step] != sizes[step - 1]} <= {10 * check + 2 for check in range(1, 10)}


def test_what_cannot_be_fooled_comes_back_as_the_point_of_highest_lead() -> None:
    class Sure(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            height = inputs.mean(dim=(1, 2, 3))[:, None]
            return torch.cat([torch.full_like(height, 5.0), height], dim=1)

    attacked = CW(steps=100, step_size=0.1)(Sure(), torch.full((2, *SHAPE), 0.5), torch.zeros(2).long())
    assert attacked.min() > 0.99


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"search_steps": 0}, "search_steps must be at least 1, got 0"),
        ({"confidence": -1.0}, "confidence must be finite and at least 0, got -1.0"),
        ({"step_size": 0.0}, "step_size must be finite and above 0, got 0.0"),
        ({"initial_const": 0.0}, "initial_const must be finite and above 0, got 0.0"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CW(**wrong)


def test_a_minimum_norm_attack_has_no_radius() -> None:
    assert CW().threat == Threat("l2", None)
