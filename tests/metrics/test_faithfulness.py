"""Insertion and deletion where the areas are known exactly."""

import pytest
import torch
from torch import Tensor

from dlcli.metrics.faithfulness import Faithfulness, blurred, faithfulness


def test_a_chance_that_is_the_share_of_white_pixels_has_exact_areas() -> None:
    # Of 4 white pixels out of 8, all on black mean: deleting them first, the chance falls 1/2 → 0 over half of the way.
    image = torch.tensor([1.0, 1, 1, 1, 0, 0, 0, 0]).reshape(1, 1, 2, 4)
    maps = torch.stack([image[0], -image[0], torch.zeros(1, 2, 4)], dim=1)

    def ask(frames: Tensor, rows: Tensor) -> Tensor:
        return frames.flatten(1).mean(dim=1)

    found = faithfulness(ask, image, maps, torch.zeros(1), steps=8, chunk=3)
    # Best first: a triangle of 1/2 by 1/2. Worst first: 1/2 until the middle, then that triangle. Ties go in order: as the best.
    assert found.deletion[0].tolist() == pytest.approx([1 / 8, 1 / 4 + 1 / 8, 1 / 8])


def test_inserting_the_pixels_that_count_first_is_deletion_upside_down() -> None:
    torch.manual_seed(0)
    weights = torch.rand(64)
    image = torch.full((1, 1, 8, 8), 0.75)

    def ask(frames: Tensor, rows: Tensor) -> Tensor:
        return ((frames.flatten(1) - 0.75).abs() > 0.1).float() @ weights / weights.sum()

    best = weights.reshape(1, 1, 8, 8)
    found = faithfulness(ask, image, torch.cat([best, -best], dim=1), torch.zeros(1), steps=64, chunk=1000)
    order = weights.sort(descending=True).values.cumsum(0) / weights.sum()
    curve = torch.cat([torch.zeros(1), order])
    assert found.deletion[0, 0].item() == pytest.approx(float(torch.trapezoid(curve, dx=1 / 64)), abs=1e-5)
    assert found.deletion[0, 1].item() == pytest.approx(1 - found.deletion[0, 0].item(), abs=1e-5)
    # A constant image is its own blur, so nothing comes in.
    assert found.insertion.abs().max() == 0


def test_the_size_of_a_chunk_changes_nothing_and_rows_are_the_images_own() -> None:
    torch.manual_seed(0)
    images, maps = torch.rand(3, 2, 4, 4), torch.rand(3, 2, 4, 4)

    def ask(frames: Tensor, rows: Tensor) -> Tensor:
        return frames.flatten(1).mean(dim=1) / (1 + rows)

    first, second = (faithfulness(ask, images, maps, torch.zeros(2), steps=5, chunk=chunk) for chunk in (1, 500))
    assert torch.allclose(first.insertion, second.insertion)
    assert torch.allclose(first.deletion, second.deletion)


def test_a_percentile_is_the_share_of_others_that_are_beaten() -> None:
    insertion = torch.tensor([[0.8, 0.1, 0.8, 0.9, 0.2]])
    assert Faithfulness(insertion, torch.zeros(1, 5)).percentile().item() == pytest.approx((2 + 0.5) / 4)


def test_a_margin_is_the_lead_over_the_mean_of_the_others() -> None:
    found = Faithfulness(torch.tensor([[0.9, 0.3, 0.1]]), torch.tensor([[0.2, 0.1, 0.3]]))
    assert found.margin().item() == pytest.approx(0.7 - 0.0)


def test_blurring_keeps_the_mean_of_a_constant_and_takes_away_a_point() -> None:
    assert torch.allclose(blurred(torch.full((1, 3, 28, 28), 0.3)), torch.full((1, 3, 28, 28), 0.3))
    point = torch.zeros(1, 1, 29, 29)
    point[..., 14, 14] = 1
    assert blurred(point).max() < 0.1
    assert blurred(point).sum().item() == pytest.approx(1)
