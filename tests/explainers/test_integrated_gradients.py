"""Integrated gradients against closed forms and captum, and the gap that it reports."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from torch import Tensor, nn

from dlcli.explainers.evidence import absent
from dlcli.explainers.integrated_gradients import IntegratedGradients


class Squares(nn.Module):
    """Two logits: Σ a x² and its negative."""

    def forward(self, inputs: Tensor) -> Tensor:
        value = (torch.arange(1.0, 1.0 + inputs[0].numel()) * inputs.flatten(1) ** 2).sum(dim=1, keepdim=True)
        return torch.cat([value, -value], dim=1)


class Cliff(nn.Module):
    """A logit that rises within a thousandth of the way."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.sigmoid((inputs.sum(dim=1, keepdim=True) - 0.503) * 4000.0)


def small_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(24, 3))


def test_on_a_quadratic_one_step_is_exact() -> None:
    rows = torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, 1.0]])
    found = IntegratedGradients(steps=1)(Squares(), rows, torch.tensor([0, 1]))
    assert torch.allclose(found, torch.tensor([[1.0], [-1.0]]) * torch.arange(1.0, 4.0) * rows**2)


@pytest.mark.parametrize("baseline", ["mean", "zero"])
def test_for_a_conv_net_it_is_captums_summed_over_channels(baseline: str) -> None:
    images, targets, model = (
        torch.rand(3, 2, 4, 5, generator=torch.Generator().manual_seed(0)),
        torch.tensor([0, 2, 1]),
        small_net(),
    )
    theirs = CaptumIntegratedGradients(model).attribute(
        images.clone(), baselines=absent(model, images, baseline), target=targets, n_steps=50, method="gausslegendre"
    )
    ours = IntegratedGradients(steps=50, most_steps=50, baseline=baseline)(model, images, targets)
    assert torch.allclose(ours, theirs.sum(dim=1).float(), atol=1e-6)


def test_the_gap_is_the_sum_minus_the_difference() -> None:
    images, targets, model = torch.rand(3, 2, 4, 5), torch.tensor([0, 2, 1]), small_net()
    found = IntegratedGradients(baseline="zero").completeness(model, images, targets)
    with torch.no_grad():
        difference = (model(images) - model(torch.zeros_like(images))).gather(1, targets[:, None])[:, 0]
    assert torch.allclose(found.difference, difference, atol=1e-6)
    assert torch.allclose(found.gap, found.maps.sum(dim=(1, 2)) - difference, atol=1e-5)
    assert (found.gap.abs() <= 0.05 * difference.abs()).all()


def test_steps_double_only_where_the_sum_misses_the_difference_and_what_is_left_is_told() -> None:
    rows = torch.tensor([[1.0], [0.1]])
    found = IntegratedGradients(steps=5).completeness(Cliff(), rows, torch.tensor([1, 1]))
    assert found.steps.tolist() == [400, 5]
    assert abs(float(found.gap[0])) > 0.05
    assert float(found.difference[0]) == pytest.approx(1.0)


def test_a_tables_map_shares_out_the_difference_to_a_row_with_everything_missing(people: Any) -> None:
    model, rows, targets = people
    found = IntegratedGradients().completeness(model, rows, targets)
    with torch.no_grad():
        difference = (model(rows) - model(torch.full_like(rows, torch.nan)))[:, 0] * torch.tensor([1.0, -1.0])
    assert found.maps.shape == rows.shape
    assert torch.allclose(found.difference, difference, atol=1e-6)
    assert torch.allclose(found.maps.sum(dim=1), difference, atol=5e-3)
    assert found.maps[1, 2] == 0
    assert found.maps[0, 1] != 0


def test_a_constant_model_gives_zero_maps_and_no_gap() -> None:
    model = nn.Linear(3, 2)
    nn.init.zeros_(model.weight)
    found = IntegratedGradients().completeness(model, torch.rand(4, 3), torch.zeros(4, dtype=torch.long))
    assert not found.maps.any()
    assert not found.gap.any()
    assert found.steps.tolist() == [50] * 4


@pytest.mark.parametrize(
    ("field", "value"), [("steps", 0), ("most_steps", 10), ("tolerance", -1.0), ("baseline", "blur"), ("at_once", 0)]
)
def test_a_wrong_setting_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        IntegratedGradients(**{field: value})
