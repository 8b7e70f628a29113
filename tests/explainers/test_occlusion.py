"""Occlusion against closed forms and a slow loop, and on a planted patch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dlcli.explainers.occlusion import Occlusion

TARGETS = torch.tensor([0, 2, 1])


def test_one_pixel_at_a_time_a_linear_model_gives_weight_times_what_is_taken_away() -> None:
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(40, 3)), torch.rand(3, 2, 4, 5)
    weights = model[1].weight.detach().reshape(3, 2, 4, 5)[TARGETS]
    away = images - images.mean(dim=(2, 3), keepdim=True)
    assert torch.allclose(Occlusion(patch=1, stride=1)(model, images, TARGETS), (weights * away).sum(dim=1), atol=1e-6)


def test_a_pixel_has_the_mean_over_the_windows_that_cover_it_to_the_very_border() -> None:
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(20, 3)), torch.rand(3, 1, 4, 5)
    shares = model[1].weight.detach().reshape(3, 4, 5)[TARGETS] * images[:, 0]
    total, count = torch.zeros(3, 4, 5), torch.zeros(4, 5)
    for top in (0, 1):
        for left in (0, 2):
            window = (slice(None), slice(top, top + 3), slice(left, left + 3))
            total[window] += shares[window].sum(dim=(1, 2))[:, None, None]
            count[window[1:]] += 1
    found = Occlusion(patch=3, stride=2, fill="zero", at_once=5)(model, images, TARGETS)
    assert torch.allclose(found, total / count, atol=1e-6)


def test_a_tables_column_becomes_a_missing_one_codes_as_well(people: Any) -> None:
    model, rows, targets = people
    found = Occlusion()(model, rows, targets)
    with torch.no_grad():
        for column in range(3):
            without = rows.clone()
            without[:, column] = torch.nan
            expected = (model(rows) - model(without))[:, 0] * torch.tensor([1.0, -1.0])
            assert torch.allclose(found[:, column], expected, atol=1e-6)
    assert found[1, 2] == 0


def test_the_largest_value_lies_on_the_planted_patch(planted: Any) -> None:
    maps = Occlusion(patch=4, stride=1)(planted.model, planted.images, torch.ones(100, dtype=torch.long))
    assert planted.share_found(maps) >= 0.95


def test_it_asks_for_no_gradient_and_takes_bfloat16() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 1)).bfloat16()
    maps = Occlusion()(model, torch.rand(2, 1, 4, 4).bfloat16(), torch.tensor([0, 1]))
    assert maps.dtype == torch.float32
    assert not maps.requires_grad


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"patch": 0}, "patch"),
        ({"patch": 2, "stride": 3}, "uncovered"),
        ({"fill": "blur"}, "baseline"),
        ({"at_once": 0}, "at_once"),
    ],
)
def test_a_wrong_setting_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Occlusion(**changes)
