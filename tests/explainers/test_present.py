"""Parts of images and tables, there or not."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from dlcli.explainers.present import Parts


def test_an_image_is_cut_into_a_grid_and_every_pixel_has_its_cells_weight() -> None:
    images = torch.rand(2, 1, 4, 6)
    parts = Parts.of(nn.Flatten(), images, torch.tensor([0, 1]), cells=2, fill="zero")
    assert parts.count == 4
    assert parts.places.tolist() == [[0, 0, 0, 1, 1, 1]] * 2 + [[2, 2, 2, 3, 3, 3]] * 2
    assert parts.maps(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))[0, 3].tolist() == [3.0] * 3 + [4.0] * 3


def test_more_cells_than_pixels_are_pixels() -> None:
    assert Parts.of(nn.Flatten(), torch.rand(1, 1, 3, 5), torch.tensor([0]), cells=7, fill="mean").count == 15


def test_what_is_absent_is_filled() -> None:
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), torch.rand(2, 1, 4, 4)
    parts = Parts.of(model, images, torch.tensor([1, 0]), cells=2, fill="zero")
    shown = images.clone()
    shown[:, :, :2, 2:] = 0
    expected = model(shown).detach()[[0, 1], [1, 0]]
    asked = torch.stack([parts.asked(row)(torch.tensor([[1, 0, 1, 1]]))[0] for row in (0, 1)])
    assert torch.allclose(asked, expected)


def test_an_absent_column_is_a_missing_one(people: Any) -> None:
    model, rows, targets = people
    without = rows[:1].clone()
    without[0, 1] = torch.nan
    asked = Parts.of(model, rows, targets, cells=7, fill="mean").asked(0)(torch.tensor([[1, 0, 1]]))
    assert torch.allclose(asked, model(without).detach()[:, 0])
