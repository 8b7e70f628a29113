"""HopSkipJump: predicted classes alone, a budget that holds, and how near it comes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Norm, distance
from dlcli.attacks.hopskipjump import HopSkipJump
from dlcli.classifier import predicted_classes
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys

SHAPE = (1, 4, 5)
NORMS: list[Norm] = ["linf", "l2"]


class Answers(nn.Module):
    """What a model answers and no more, by logits that say nothing else; and how often each example is asked about."""

    by_example = True

    def __init__(self, inner: nn.Module, examples: int) -> None:
        super().__init__()
        self.inner, self.asked = inner, torch.zeros(examples, dtype=torch.long)

    def forward(self, inputs: Tensor, index: Tensor) -> Tensor:
        self.asked += index.bincount(minlength=len(self.asked))
        logits = self.inner(inputs)
        return nn.functional.one_hot(logits.argmax(dim=1), logits.shape[1]).float()


@pytest.mark.parametrize(("norm", "most"), [("l2", 1.1), ("linf", 1.4)])
@pytest.mark.parametrize("classes", [2, 4])
def test_on_a_linear_model_it_comes_near_to_the_exact_distance(
    classes: int, *, norm: Norm, most: float, linear: Any, exact_distances: Any
) -> None:
    model, inputs, targets = linear(classes)
    attacked = HopSkipJump(norm=norm, queries=3000)(model, inputs, targets)
    assert (predicted_classes(model(attacked)) != targets).all()
    ratio = distance(attacked - inputs, norm) / exact_distances(model, inputs, norm)
    assert ratio.min() >= 0.999
    assert ratio.median() <= most


@pytest.mark.parametrize("norm", NORMS)
def test_nothing_but_the_predicted_class_is_used(norm: Norm, linear: Any) -> None:
    model, inputs, targets = linear(3)
    model.by_example = False
    attack = HopSkipJump(norm=norm, queries=500)
    assert torch.equal(attack(Answers(model, 50), inputs, targets), attack(model, inputs, targets))


@pytest.mark.parametrize("queries", [1, 10, 60, 500, 1000])
def test_no_example_is_asked_about_more_often_than_its_budget_allows(queries: int, linear: Any) -> None:
    inner, inputs, targets = linear(3)
    model = Answers(inner, 50)
    HopSkipJump(queries=queries)(model, inputs, targets)
    assert model.asked.max() <= queries
    if queries >= 500:
        # What is left would not pay for the next iteration: 100 √t directions, a step and the way back.
        assert model.asked.min() > 0.5 * queries


@pytest.mark.parametrize("norm", NORMS)
def test_more_queries_find_nearer_points(norm: Norm, linear: Any) -> None:
    model, inputs, targets = linear(3)
    few, many = (
        distance(HopSkipJump(norm=norm, queries=queries)(model, inputs, targets) - inputs, norm) for queries in (300, 3000)
    )
    assert (many <= few + 1e-6).all()
    assert many.median() < 0.9 * few.median()


def test_what_comes_back_is_on_the_boundary(linear: Any) -> None:
    model, inputs, targets = linear(3)
    attacked = HopSkipJump(queries=1000)(model, inputs, targets)
    # A binary search ends at a thousandth of the way from where it began, which is at most a few times further away.
    assert (predicted_classes(model(inputs + 0.99 * (attacked - inputs))) == targets).float().mean() > 0.9


@pytest.mark.parametrize("norm", NORMS)
def test_with_one_or_two_columns_the_boundary_is_found_as_closely(norm: Norm) -> None:
    for weight in ([[2.0]], [[2.0, 2.0]]):
        model = nn.Linear(len(weight[0]), 1)
        with torch.no_grad():
            model.weight.copy_(torch.tensor(weight))
            model.bias.fill_(-6.0)
        inputs = torch.ones(10, len(weight[0]))
        attacked = HopSkipJump(norm=norm, queries=2000)(model, inputs, torch.zeros(10).long())
        exact = -float(model(inputs).detach()[0]) / float(model.weight.detach().norm(p={"linf": 1, "l2": 2}[norm]))
        assert (distance(attacked - inputs, norm) / exact).median().item() == pytest.approx(1, abs=0.02)


def test_it_works_where_a_model_can_not_be_differentiated_at_all() -> None:
    class Table(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            with torch.no_grad():
                return torch.cat([torch.full((len(inputs), 1), 0.55), inputs.mean(dim=(1, 2, 3))[:, None].round(decimals=2)], 1)

    attacked = HopSkipJump(queries=2000)(Table(), torch.full((4, *SHAPE), 0.5), torch.zeros(4).long())
    sizes = distance(attacked - 0.5, "l2")
    # Rounded to two digits, 0.555 and more is above 0.55, and 20 pixels at 0.055 are 0.246 long.
    assert sizes.median() == pytest.approx(0.055 * 20**0.5, rel=0.1)


def test_starts_are_the_examples_own_and_depend_on_the_seed(linear: Any) -> None:
    model, inputs, targets = linear(3)
    attack, alike = HopSkipJump(queries=200), inputs[:1].expand(4, *SHAPE)
    found = [attack(model, alike, targets[:1].expand(4), rng=SampleKeys(seed, torch.arange(4))) for seed in (0, 1)]
    assert not torch.allclose(found[0][0], found[0][1])
    assert not torch.allclose(found[0][0], found[1][0])


def test_nets_that_take_fine_noise_for_one_class_are_started_from_coarser_noise() -> None:
    class Contrast(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            coarse = nn.functional.avg_pool2d(inputs, 8).flatten(1).std(dim=1)
            return torch.stack([torch.full_like(coarse, 0.2), coarse], dim=1)

    inputs = torch.full((5, 1, 32, 32), 0.5)
    attacked = HopSkipJump(queries=400)(Contrast(), inputs, torch.zeros(5).long())
    assert (predicted_classes(Contrast()(attacked)) == 1).all()


def test_what_no_start_fools_stays_as_it_is_and_costs_a_hundred_queries() -> None:
    class Fixed(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.tensor([2.0, 1.0, 0.0]).expand(len(inputs), 3)

    model, inputs = Answers(Fixed(), 3), torch.full((3, *SHAPE), 0.5)
    assert torch.equal(HopSkipJump()(model, inputs, torch.zeros(3).long()), inputs)
    assert model.asked.tolist() == [101] * 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"queries": 0}, "queries must be at least 1, got 0"),
        ({"evaluations": 0}, "evaluations must be at least 1, got 0"),
        ({"norm": "l1"}, "norm must be 'linf' or 'l2', got 'l1'"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HopSkipJump(**wrong)


def test_a_minimum_norm_attack_has_no_radius_and_this_one_aims_at_no_class() -> None:
    assert HopSkipJump(norm="linf").threat == Threat("linf", None)
    assert HopSkipJump.aims is False
