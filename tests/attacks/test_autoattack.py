"""AutoAttack: the worst case of its four attacks, each on what still stands."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.apgd import APGD
from dlcli.attacks.apgd_t import APGDT
from dlcli.attacks.autoattack import AutoAttack
from dlcli.attacks.balls import Norm
from dlcli.attacks.square import Square
from dlcli.classifier import class_logits, predicted_classes
from dlcli.contracts import Attack, Threat

SHAPE = (1, 5, 5)
NORMS: list[Norm] = ["linf", "l2"]


class Recorded(nn.Module):
    """A model that notes how many examples each forward pass had."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.sizes = inner, list[int]()

    def forward(self, inputs: Tensor) -> Tensor:
        self.sizes.append(len(inputs))
        return self.inner(inputs)


def linear(classes: int) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(classes)
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, classes))
    inputs = 0.5 + 0.1 * (torch.rand(60, *SHAPE) - 0.5)
    with torch.no_grad():
        model[1].bias -= model(inputs).mean(dim=0)
    return model, inputs, predicted_classes(model(inputs))


def broken(attack: Attack, model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    return predicted_classes(model(attack(model, inputs, targets))) != targets


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10])
def test_on_a_linear_model_the_robust_accuracy_is_exact(classes: int, norm: Norm) -> None:
    model, inputs, targets = linear(classes)
    logits, weight = class_logits(model(inputs)).detach(), class_logits(model[1].weight.detach().T).T
    slopes = (weight[targets][:, None] - weight).norm(p={"linf": 1, "l2": 2}[norm], dim=2)
    distances = ((logits.gather(1, targets[:, None]) - logits) / slopes).scatter(1, targets[:, None], torch.inf).amin(dim=1)
    epsilon = float(distances.median()) * 1.0001
    found = broken(AutoAttack(epsilon=epsilon, norm=norm, steps=50, queries=50), model, inputs, targets)
    assert not found[distances > 1.001 * epsilon].any()
    assert found[distances < 0.99 * epsilon].all()


@pytest.mark.parametrize("norm", NORMS)
def test_what_any_of_its_attacks_breaks_it_breaks(norm: Norm) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(25, 48), nn.ReLU(), nn.Linear(48, 4))
    inputs = torch.rand(100, *SHAPE)
    targets = predicted_classes(model(inputs))
    epsilon = {"linf": 0.03, "l2": 0.1}[norm]
    whole = broken(AutoAttack(epsilon=epsilon, norm=norm, steps=10, queries=50), model, inputs, targets)
    parts = [
        APGD(epsilon=epsilon, norm=norm, steps=10),
        APGDT(epsilon=epsilon, norm=norm, steps=10),
        Square(epsilon=epsilon, norm=norm, queries=50),
    ]
    for part in parts:
        assert whole[broken(part, model, inputs, targets)].all()
    assert 0 < whole.sum() < 100


def test_a_model_that_hides_its_gradient_still_falls_to_its_last_attack() -> None:
    class Rounded(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.round(inputs * 50) / 50

    model, inputs, targets = linear(3)
    hidden = nn.Sequential(Rounded(), model)
    targets = predicted_classes(hidden(inputs))
    assert broken(APGD(epsilon=0.1), hidden, inputs, targets).float().mean() < 0.7
    assert broken(AutoAttack(epsilon=0.1, steps=5, queries=500), hidden, inputs, targets).all()


def test_each_attack_sees_only_what_still_stands() -> None:
    model, inputs, targets = linear(3)
    recorded = Recorded(model)
    AutoAttack(epsilon=0.01, steps=5, queries=20)(recorded, inputs, targets)
    assert recorded.sizes[0] == 60
    assert recorded.sizes == sorted(recorded.sizes, reverse=True)
    assert recorded.sizes[-1] < 60


def test_who_never_comes_to_the_goal_comes_back_as_the_point_of_its_highest_margin() -> None:
    model, inputs, targets = linear(4)
    goals, seen = model(inputs).argmin(dim=1), list[Tensor]()

    def lead(points: Tensor, goal: int) -> Tensor:
        logits = model[1](points.flatten(1)).detach()
        return logits[:, goal] - logits.index_fill(1, torch.tensor(goal), -torch.inf).amax(dim=1)

    model.register_forward_pre_hook(lambda _module, given: seen.append(given[0].detach()))
    # One step leaves Square attack something to find, and what that climbs is the goal's cross-entropy.
    attack = AutoAttack(epsilon=0.01, norm="l2", steps=1, queries=300)
    for row in range(5):
        seen.clear()
        one = slice(row, row + 1)
        attacked = attack(model, inputs[one], targets[one], goals=goals[one])
        points = torch.cat(seen)
        inside = points[(points - inputs[one]).flatten(1).norm(dim=1) <= 0.01 * (1 + 1e-6)]
        assert lead(attacked, int(goals[row])).item() == pytest.approx(lead(inside, int(goals[row])).max().item(), abs=1e-6)


def test_a_standing_example_costs_what_the_standard_version_costs() -> None:
    class Sure(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return 0.01 * inputs.flatten(1)[:, :10] + 5 * torch.eye(10)[0]

    recorded = Recorded(Sure())
    AutoAttack(epsilon=0.3, steps=10, queries=50)(recorded, torch.rand(1, *SHAPE), torch.zeros(1).long())
    # Itself; AutoPGD; AutoPGD to nine classes; FAB to nine classes, twice a step; Square attack.
    assert len(recorded.sizes) == 1 + 11 + 9 * 11 + 9 * 20 + 51


def test_the_defaults_are_the_originals_budgets() -> None:
    attack = AutoAttack(epsilon=0.3)
    assert (attack.steps, attack.targets, attack.queries) == (100, 9, 5000)


@pytest.mark.parametrize("name", ["steps", "targets", "queries"])
def test_a_budget_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        AutoAttack(epsilon=0.1, **{name: 0})


def test_the_threat_is_what_was_asked_for() -> None:
    assert AutoAttack(epsilon=0.25, norm="l2").threat == Threat("l2", 0.25)
