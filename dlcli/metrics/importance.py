"""What columns weigh over a whole table: mean absolute attributions, and how groups differ in them, with intervals."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dlcli.contracts import Metric

RESAMPLES = 2000
_CHUNK = 4_000_000  # counts held at once
_SEED = 0  # the same attributions give the same interval


def mean_importance(attributions: Tensor) -> list[Metric]:
    """Returns the mean |attribution| of each column with a percentile bootstrap interval over whole rows.

    Source: Efron and Tibshirani 1993, "An introduction to the bootstrap", section 13.3.

    Args:
        attributions: signed, (N, D), N at least 1.

    Raises:
        ValueError: there is no row, or the shape is another.
    """
    sizes = _sizes(attributions)
    drawn = _resampled_means(sizes, np.random.default_rng(_SEED))
    return _metrics(sizes.mean(dim=0), drawn, len(sizes))


def importance_difference(attributions: Tensor, members: Tensor) -> list[Metric]:
    """Returns mean |attribution| of each column among ``members`` minus that among the others, with bootstrap intervals.

    The two groups are resampled apart, so their sizes stay as they are.

    Args:
        attributions: signed, (N, D).
        members: bool (N,), with at least one row on either side.

    Raises:
        ValueError: a group is empty, or shapes do not fit.
    """
    sizes = _sizes(attributions)
    if members.shape != sizes.shape[:1] or members.dtype != torch.bool:
        raise ValueError(f"members must be bool ({len(sizes)},), got {members.dtype} {tuple(members.shape)}")
    if members.all() or not members.any():
        raise ValueError("members must leave rows on either side, got all or none")
    random = np.random.default_rng(_SEED)
    inside, outside = sizes[members.cpu()], sizes[~members.cpu()]
    drawn = _resampled_means(inside, random) - _resampled_means(outside, random)
    return _metrics(inside.mean(dim=0) - outside.mean(dim=0), drawn, len(sizes))


def _sizes(attributions: Tensor) -> Tensor:
    if attributions.ndim != 2 or not len(attributions):
        raise ValueError(f"attributions must be (N, D) with N at least 1, got {tuple(attributions.shape)}")
    return attributions.detach().cpu().double().abs()


def _resampled_means(sizes: Tensor, random: np.random.Generator) -> Tensor:
    """Means over resampled rows, float64 (RESAMPLES, D)."""
    n, parts = len(sizes), []
    at_once = max(1, _CHUNK // n)
    for start in range(0, RESAMPLES, at_once):
        counts = random.multinomial(n, np.full(n, 1 / n), size=min(at_once, RESAMPLES - start))
        parts.append(torch.from_numpy(counts).double() @ sizes / n)
    return torch.cat(parts)


def _metrics(values: Tensor, drawn: Tensor, n: int) -> list[Metric]:
    """One row says nothing of how rows vary, so it has no bounds."""
    if n < 2:
        return [Metric(float(value), n=n) for value in values]
    low, high = drawn.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64), dim=0)
    return [Metric(float(v), float(a), float(b), n, "bootstrap") for v, a, b in zip(values, low, high, strict=True)]
