"""What a vote under noise proves: radii of randomized smoothing, and the accuracy that they certify.

Source: Cohen, Rosenfeld and Kolter 2019, "Certified adversarial robustness via randomized smoothing", §3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.contracts import Metric
from dlcli.metrics.intervals import wilson


def clopper_pearson_low(successes: Tensor, n: int, *, alpha: float) -> Tensor:
    """Returns a lower bound of a share that holds with probability 1 - ``alpha``, one-sided and exact, float64 (N,).

    The bound p solves P(Bin(n, p) ≥ successes) = alpha, a quantile of the beta distribution; it is 0 where nothing succeeded
    (Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in the case of the binomial").

    Args:
        successes: of ``n``, int64 (N,).

    Raises:
        ValueError: unless 0 <= successes <= n, n > 0 and 0 < alpha < 1.
    """
    if n < 1 or not 0 < alpha < 1 or (len(successes) and not 0 <= int(successes.min()) <= int(successes.max()) <= n):
        raise ValueError(f"expected 0 <= successes <= n, n > 0 and 0 < alpha < 1, got n={n}, alpha={alpha}")
    # Loads scipy as well: only who certifies pays.
    from scipy import special  # type: ignore[import-untyped]

    count = successes.cpu().double()
    # The distribution needs a first parameter above 0; what it gives there is not used.
    quantile = torch.as_tensor(special.betaincinv(count.clamp_min(1).numpy(), (n - count + 1).numpy(), alpha))
    return torch.where(count == 0, 0.0, quantile)


def certified_radii(votes: Tensor, n: int, *, sigma: float, alpha: float) -> Tensor:
    """Returns the L2 radius in which the smoothed classifier cannot change its mind, float64 (N,): σ · Φ⁻¹(p), p the bound above.

    Where p is not above a half nothing is proven and the classifier abstains: minus infinity.

    Args:
        votes: for the class that a vote of its own had chosen before, of ``n``, int64 (N,).
        sigma: standard deviation of the noise, in raw units.
        alpha: chance, of each example, that its radius is wrong.
    """
    low = clopper_pearson_low(votes, n, alpha=alpha)
    radii: Tensor = sigma * torch.special.ndtri(low)
    return radii.masked_fill(low <= 0.5, -torch.inf)


def confident_classes(counts: Tensor, *, alpha: float) -> Tensor:
    """Returns the class that has more than half of the probability, int64 (N,), and -1 where the votes do not prove one.

    Args:
        counts: votes by class, int64 (N, P); each row sums to the number of draws, at least 1.
        alpha: chance, of each example, of a wrong answer that is not -1.
    """
    if not len(counts):
        return counts.new_zeros(0)
    votes, classes = counts.max(dim=1)
    # Which class leads is seen in the same votes. Of two classes with just half each either may come to lead, hence half of
    # alpha; three or more share worse chances.
    low = clopper_pearson_low(votes, int(counts[0].sum()), alpha=alpha / 2).to(counts.device)
    return classes.masked_fill(low <= 0.5, -1)


def certified_accuracy(radii: Tensor, right: Tensor, radius: float) -> Metric:
    """Returns the share that is right and proven to stay so within ``radius``, with Wilson's interval.

    Args:
        radii: certified radii, minus infinity for who abstains, (N,).
        right: whether the smoothed classifier names the true class, bool (N,).
    """
    return wilson(int((right & (radii >= radius)).sum()), len(right))
