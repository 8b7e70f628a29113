"""AutoPGD as an attack: exact on linear models, on both losses, and per restart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.apgd import APGD
from dlcli.attacks.balls import Norm
from dlcli.attacks.pgd import PGD
from dlcli.classifier import predicted_classes
from dlcli.contracts import Threat

SHAPE = (1, 4, 5)


def linear(classes: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A linear model, and 300 images far enough from the box for it not to matter."""
    torch.manual_seed(classes)
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, classes))
    inputs = 0.5 + 0.1 * (torch.rand(300, *SHAPE) - 0.5)
    with torch.no_grad():
        model[1].bias -= model(inputs).mean(dim=0)
    return model, inputs, predicted_classes(model(inputs))


@pytest.mark.parametrize("loss", ["cross_entropy", "dlr"])
@pytest.mark.parametrize(("norm", "reach"), [("linf", 0.999), ("l2", 0.99)])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_on_a_linear_model_what_is_in_reach_is_broken_and_nothing_else(loss: str, norm: Norm, reach: float, share: float) -> None:
    model, inputs, targets = linear(1)
    distances = model(inputs).detach().abs().flatten() / model[1].weight.detach().norm(p={"linf": 1, "l2": 2}[norm])
    epsilon = float(distances.quantile(share))
    standing = predicted_classes(model(APGD(epsilon=epsilon, norm=norm, loss=loss)(model, inputs, targets))) == targets
    assert standing[distances > 1.001 * epsilon].all()
    assert not standing[distances < reach * epsilon].any()


@pytest.mark.parametrize("loss", ["cross_entropy", "dlr"])
def test_a_model_that_is_a_thousand_times_as_sure_falls_just_as_fast(loss: str) -> None:
    model, inputs, targets = linear(4)
    attack = APGD(epsilon=0.02, loss=loss, steps=20)
    broken = predicted_classes(model(attack(model, inputs, targets))) != targets
    with torch.no_grad():
        model[1].weight *= 1e3
        model[1].bias *= 1e3
    surely = predicted_classes(model(attack(model, inputs, targets))) != targets
    assert broken.float().mean() > 0.2
    # The cross-entropy of a surer model weighs the classes differently, so a few may differ.
    assert (broken == surely).float().mean() > 0.95


def test_it_is_no_weaker_than_pgd_of_as_many_steps_on_a_curved_model() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))
    inputs = torch.rand(300, *SHAPE)
    targets = predicted_classes(model(inputs))
    fooled = [
        int((predicted_classes(model(attack(model, inputs, targets))) != targets).sum())
        for attack in (PGD(epsilon=0.05, steps=40), APGD(epsilon=0.05, steps=40))
    ]
    assert fooled[1] >= fooled[0] - 3
    assert fooled[1] > 50


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="loss must be one of cross_entropy, dlr, got 'hinge'"):
        APGD(epsilon=0.1, loss="hinge")


def test_no_restarts_are_refused() -> None:
    with pytest.raises(ValueError, match="restarts must be at least 1, got 0"):
        APGD(epsilon=0.1, restarts=0)


def test_the_threat_is_what_was_asked_for() -> None:
    assert APGD(epsilon=0.25, norm="l2").threat == Threat("l2", 0.25)
