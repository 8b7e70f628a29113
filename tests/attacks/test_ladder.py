"""A climb through rising radii: on an affine model it gives the exact curve, and it does no work twice."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.apgd import APGD
from dlcli.attacks.ladder import Ladder

RADII = tuple(0.02 * rung for rung in range(1, 11))


class Affine(nn.Module):
    """Two classes; counts the examples that it has seen."""

    def __init__(self, size: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(size, 2)
        self.seen = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen += len(inputs)
        return self.linear(inputs.flatten(1))


def examples() -> tuple[Affine, Tensor, Tensor]:
    model = Affine(12)
    # Far from the faces of the box, so that it does not stand in the way.
    inputs = 0.4 + 0.2 * torch.rand(60, 1, 3, 4, generator=torch.Generator().manual_seed(1))
    return model, inputs, model(inputs).argmax(dim=1)


def distances(model: Affine, inputs: Tensor, norm: str) -> Tensor:
    """Exact: the margin over the dual norm of the difference of the two rows."""
    logits, slope = model(inputs).detach(), model.linear.weight[0] - model.linear.weight[1]
    return (logits[:, 0] - logits[:, 1]).abs() / slope.detach().norm(p=1 if norm == "linf" else 2)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_an_affine_model_every_example_falls_at_the_first_radius_beyond_its_distance(norm):
    model, inputs, targets = examples()
    exact = distances(model, inputs, norm)
    radii = tuple(float(exact.quantile(share)) for share in (0.1, 0.3, 0.5, 0.7, 0.9))
    attacked = Ladder(radii=radii, norm=norm, steps=20)(model, inputs, targets)
    fallen = model(attacked).argmax(dim=1) != targets
    change = (attacked - inputs).flatten(1)
    size = change.abs().amax(dim=1) if norm == "linf" else change.norm(dim=1)
    first = torch.tensor(radii)[torch.searchsorted(torch.tensor(radii), exact.clamp_max(radii[-1]) - 1e-7)]
    assert torch.equal(fallen, exact < radii[-1])
    assert (size[fallen] <= first[fallen] + 1e-6).all()


def test_what_is_broken_at_a_small_radius_costs_nothing_at_larger_ones():
    model, inputs, targets = examples()
    model.seen = 0
    Ladder(radii=(0.9, 0.95, 1.0), steps=20)(model, inputs, targets)
    assert model.seen <= 3 * len(inputs)


def test_it_goes_on_from_the_best_point_of_the_radius_before():
    model, inputs, _ = examples()
    hard = inputs[distances(model, inputs, "linf") > 0.1][:1]
    label = model(hard).argmax(dim=1)
    attacked = Ladder(radii=(0.01, 0.02), steps=1)(model, hard, label)
    # One step from the far corner of the small ball reaches the corner of the large one.
    slope = model.linear.weight[1 - label] - model.linear.weight[label]
    assert torch.allclose((attacked - hard).flatten(1), 0.02 * slope.sign(), atol=1e-6)


def test_one_radius_breaks_what_autopgd_breaks():
    model, inputs, targets = examples()
    radius = float(distances(model, inputs, "linf").median())
    alone = Ladder(radii=(radius,), steps=20)(model, inputs, targets)
    usual = APGD(epsilon=radius, steps=20)(model, inputs, targets)
    assert torch.equal(model(alone).argmax(dim=1), model(usual).argmax(dim=1))


@pytest.mark.parametrize("radii", [(), (0.0, 0.1), (0.2, 0.1), (0.1, 0.1)])
def test_radii_that_do_not_rise_are_refused(radii):
    with pytest.raises(ValueError, match="radii must rise"):
        Ladder(radii=radii)


def test_a_radius_in_0_to_255_units_is_refused():
    with pytest.raises(ValueError, match="8/255"):
        Ladder(radii=(0.1, 8.0))
