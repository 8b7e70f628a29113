"""PGD against exact distances on linear models, and its own promises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Norm, distance
from dlcli.attacks.fgsm import FGSM
from dlcli.attacks.pgd import PGD
from dlcli.classifier import predicted_classes
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys

SHAPE = (1, 4, 5)
NORMS: list[Norm] = ["linf", "l2"]


def problem() -> tuple[nn.Module, Tensor, Tensor]:
    """A linear model of two classes, and 300 images far enough from the box for it not to matter."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, 1))
    inputs = 0.5 + 0.1 * (torch.rand(300, *SHAPE) - 0.5)
    nn.init.constant_(model[1].bias, -float((model[1].weight @ inputs.flatten(1).mean(dim=0)).detach()))
    return model, inputs, predicted_classes(model(inputs))


def exact_distances(model: nn.Module, inputs: Tensor, norm: Norm) -> Tensor:
    """How far the boundary of a linear model is: |z| over the dual norm of the weights."""
    return model(inputs).detach().abs().flatten() / model[1].weight.detach().norm(p={"linf": 1, "l2": 2}[norm])


# In L2 steps of a fixed length turn into the right direction only gradually.
@pytest.mark.parametrize(("norm", "reach"), [("linf", 0.999), ("l2", 0.95)])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_on_a_linear_model_what_is_in_reach_is_broken_and_nothing_else(norm: Norm, reach: float, share: float) -> None:
    model, inputs, targets = problem()
    distances = exact_distances(model, inputs, norm)
    epsilon = float(distances.quantile(share))
    standing = predicted_classes(model(PGD(epsilon=epsilon, norm=norm)(model, inputs, targets))) == targets
    assert standing[distances > 1.001 * epsilon].all()
    assert not standing[distances < reach * epsilon].any()


@pytest.mark.parametrize("norm", NORMS)
def test_one_step_from_the_example_itself_is_fgsm(norm: Norm) -> None:
    model, inputs, targets = problem()
    one_step = PGD(epsilon=0.01, norm=norm, steps=1, random_start=False)(model, inputs, targets)
    assert torch.allclose(one_step, FGSM(epsilon=0.01, norm=norm)(model, inputs, targets), atol=1e-7)


@pytest.mark.parametrize("norm", NORMS)
def test_what_fails_on_a_linear_model_ends_on_the_surface_of_the_ball(norm: Norm) -> None:
    model, inputs, targets = problem()
    attacked = PGD(epsilon=1e-4, norm=norm)(model, inputs, targets)
    failed = predicted_classes(model(attacked)) == targets
    assert torch.allclose(distance(attacked - inputs, norm)[failed], torch.tensor(1e-4), rtol=1e-3)


def test_the_step_is_two_and_a_half_radii_over_all_steps_unless_given() -> None:
    model, inputs, targets = problem()
    auto, given = PGD(epsilon=0.02, steps=4), PGD(epsilon=0.02, steps=4, step_size=2.5 * 0.02 / 4)
    assert torch.equal(auto(model, inputs, targets), given(model, inputs, targets))


def test_every_seed_starts_elsewhere() -> None:
    model, inputs, targets = problem()
    attack, index = PGD(epsilon=1e-3, steps=1, step_size=1e-6), torch.arange(300)
    one, other = (attack(model, inputs, targets, rng=SampleKeys(seed, index)) for seed in (0, 1))
    assert not torch.equal(one, other)


def test_restarts_without_a_random_start_are_refused() -> None:
    with pytest.raises(ValueError, match="restarts must be 1 without a random start"):
        PGD(epsilon=0.1, restarts=2, random_start=False)


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        PGD(epsilon=0.1, steps=0)


def test_a_radius_in_units_of_255_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 8/255"):
        PGD(epsilon=8)


def test_the_threat_is_what_was_asked_for() -> None:
    assert PGD(epsilon=0.25, norm="l2").threat == Threat("l2", 0.25)
