"""Spearman's correlation beside SciPy's."""

import numpy as np
import torch
from scipy import stats

from dlcli.metrics.rank_correlation import pairwise_spearman, spearman


def test_it_is_scipys_also_with_ties() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.randint(0, 6, (5, 40), generator=generator).float()
    second = first + 3 * torch.rand(5, 40, generator=generator).round()
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(first.numpy(), second.numpy(), strict=True)]
    assert np.allclose(spearman(first, second).numpy(), expected, atol=1e-6)


def test_the_same_order_is_one_the_opposite_minus_one_and_none_zero() -> None:
    rising = torch.arange(5.0)[None]
    assert spearman(rising, rising**3).item() == 1
    assert spearman(rising, -rising).item() == -1
    assert spearman(rising, torch.ones(1, 5)).item() == 0


def test_every_two_of_several_are_what_they_are_by_themselves() -> None:
    values = torch.randn(4, 5, 30, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    found = pairwise_spearman(values)
    assert found.shape == (5, 4, 4)
    for one in range(4):
        for other in range(4):
            assert torch.allclose(found[:, one, other], spearman(values[one], values[other]), atol=1e-6)


def test_what_has_no_order_correlates_with_itself_alone() -> None:
    values = torch.stack([torch.zeros(1, 6), torch.arange(6.0)[None]])
    assert pairwise_spearman(values)[0].tolist() == [[1, 0], [0, 1]]
