"""GradientSHAP against its expectation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dlcli.explainers.gradient_shap import GradientSHAP
from dlcli.randomness import SampleKeys


def test_without_noise_a_linear_model_gives_weight_times_the_difference_to_the_baseline() -> None:
    model, rows, targets = nn.Linear(4, 3), torch.rand(2, 4), torch.tensor([2, 0])
    expected = model.weight[targets].detach() * rows
    assert torch.allclose(GradientSHAP(noise=0.0, samples=3)(model, rows, targets), expected, atol=1e-6)


def test_a_tables_maps_sum_to_the_difference_on_average(people: Any) -> None:
    model, rows, targets = people
    with torch.no_grad():
        difference = (model(rows) - model(torch.full_like(rows, torch.nan)))[:, 0] * torch.tensor([1.0, -1.0])
    found = GradientSHAP(samples=3000, noise=0.0)(model, rows, targets)
    assert found.shape == rows.shape
    assert torch.allclose(found.sum(dim=1), difference, atol=0.03)


def test_keys_decide_what_is_drawn() -> None:
    model, rows, targets = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)), torch.rand(2, 4), torch.tensor([1, 0])
    explainer = GradientSHAP(samples=5)
    maps = [explainer(model, rows, targets, rng=SampleKeys(seed, torch.arange(2))) for seed in (1, 1, 2)]
    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])


@pytest.mark.parametrize(("field", "value"), [("samples", 0), ("noise", -1.0), ("baseline", "blur")])
def test_a_wrong_setting_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        GradientSHAP(**{field: value})
