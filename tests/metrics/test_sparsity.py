"""The Gini index where it is known."""

import pytest
import torch

from dlcli.metrics.sparsity import gini


def test_one_place_that_has_everything_and_places_that_share_alike() -> None:
    maps = torch.zeros(3, 2, 4)
    maps[0, 1, 2] = -3.0
    maps[1] = 0.5
    found = gini(maps)
    assert found[:2].tolist() == pytest.approx([1 - 1 / 8, 0.0])
    assert found[2].isnan()


def test_it_is_half_the_mean_difference_over_the_mean() -> None:
    values = torch.tensor([[1.0, 2.0, 7.0, 10.0]])
    apart = (values[0, :, None] - values[0]).abs().mean()
    assert float(gini(values)) == pytest.approx(float(apart / (2 * values.mean())))


def test_neither_scale_nor_sign_nor_order_counts() -> None:
    maps = torch.randn(4, 30, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(gini(maps), gini(-7 * maps.flip(1)))
