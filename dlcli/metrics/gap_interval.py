"""How sure a calibration error is: intervals for a sum of absolute gaps, which no plain resampling covers."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
SIMULATIONS = 2000
_SCALES = 121
_SPAN = 6.0  # standard deviations that the scales reach beyond what was seen
_NOTHING = 1e-12
_SEED = 0  # the same predictions give the same interval


def gap_interval(counts: Numbers, gaps: Numbers, chances: Numbers) -> tuple[float, float]:
    """Returns the 95 % interval of Σ n_b |g_b| / N, the mean absolute gap over bins.

    A sum of absolute values is biased upwards, the more so the better calibrated a model is, and resampling doubles the bias:
    with no miscalibration percentiles miss the truth nearly always, reflected ones in half of all samples. Here the test is
    inverted instead: the gaps are taken to have the observed shape, blurred by its noise, at an unknown scale, and the
    interval holds those scales at which the observed sum is neither among the lowest nor the highest 2.5 % of simulated ones.
    Scale 0 is the perfectly calibrated model, so an interval that starts at 0 says that nothing else was shown.
    ``benchmarks/coverage.py`` measures how often it holds the truth.

    Args:
        counts: examples per bin, (K,), each above 0.
        gaps: share that came true minus mean chance, (K,).
        chances: mean chance, (K,) in [0, 1].
    """
    total = counts.sum()
    observed = float((counts * np.abs(gaps)).sum() / total)
    if observed < _NOTHING:
        return observed, max(observed, calibrated_gap(counts, chances)[1])
    widest = float(np.sqrt((_spread(counts, 0 * gaps, chances) ** 2 + _spread(counts, gaps, chances) ** 2).sum()))
    scales = np.linspace(0, 1 + _SPAN * widest / observed, _SCALES)
    below = _shares_below(observed, scales, counts, gaps, chances)
    # An error that a calibrated model exceeds nearly always is no proof of any, however small: the interval then starts at 0.
    low = float(scales[np.flatnonzero(below <= 0.975)[0]]) * observed if (below <= 0.975).any() else observed
    # Gaps of the size of the noise say little of where the true ones are. Evened out by it they give the higher upper bound.
    evened = np.where(gaps < 0, -1.0, 1.0) * np.sqrt(gaps**2 + (_spread(counts, gaps, chances) * total / counts) ** 2)
    evened *= observed * total / (counts * np.abs(evened)).sum()
    reached = np.flatnonzero(_shares_below(observed, scales, counts, evened, chances) >= 0.025)
    high = float(scales[reached[-1]]) * observed if len(reached) else 0.0
    return min(low, observed), min(1.0, max(high, observed, calibrated_gap(counts, chances)[1]))


def _shares_below(observed: float, scales: Numbers, counts: Numbers, gaps: Numbers, chances: Numbers) -> Numbers:
    """For each scale the share of simulated sums that are not above the observed one."""
    total = counts.sum()
    # The weights of the bins vary too, which moves the mean of unequal gaps.
    between = float(np.sqrt(max((counts / total * gaps**2).sum() - observed**2, 0.0) / total))
    noise = _noise(len(counts) + 1)
    below = np.empty(len(scales))
    for number, scale in enumerate(scales):
        parts = scale * counts * gaps / total + noise[:, 1:] * _spread(counts, scale * gaps, chances)
        below[number] = (np.abs(parts).sum(axis=1) + scale * between * noise[:, 0] <= observed).mean()
    return below


def calibrated_gap(counts: Numbers, chances: Numbers) -> tuple[float, float]:
    """Returns the mean and the 97.5 % quantile of the same sum for a perfectly calibrated model with these chances."""
    sums = np.abs(_noise(len(counts)) * _spread(counts, np.zeros_like(chances), chances)).sum(axis=1)
    return float(sums.mean()), float(np.quantile(sums, 0.975))


def _spread(counts: Numbers, gaps: Numbers, chances: Numbers) -> Numbers:
    """Standard deviation of each bin's part of the sum; two pseudo-examples of its chance keep a bin without misses uncertain."""
    share = np.clip((counts * (chances + gaps) + 2 * chances) / (counts + 2), 0, 1)
    spread: Numbers = np.sqrt(share * (1 - share) * counts) / counts.sum()
    return spread


@functools.cache
def _noise(width: int) -> Numbers:
    return np.random.default_rng(_SEED).standard_normal((SIMULATIONS, width))
