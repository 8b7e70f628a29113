"""Spearman's correlation beside SciPy's."""

import numpy as np
import torch
from scipy import stats

from dlcli.metrics.rank_correlation import spearman


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
