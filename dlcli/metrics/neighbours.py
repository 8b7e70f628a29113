"""What the nearest neighbours of a point say: whether classes lie apart, and how far a map on paper can be trusted."""

from __future__ import annotations

import torch
from torch import Tensor


def nearest(points: Tensor, count: int) -> Tensor:
    """Returns the positions of each point's ``count`` nearest other points, nearest first, int64 (N, count).

    Euclidean distances in float64; ties go to the lower position.

    Args:
        points: (N, D).

    Raises:
        ValueError: there are not so many others.
    """
    if not 1 <= count < len(points):
        raise ValueError(f"expected 1 … {len(points) - 1} neighbours among {len(points)} points, got {count}")
    return _order(points)[:, :count]


def _order(points: Tensor) -> Tensor:
    points = points.double()
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(torch.inf)
    return distances.argsort(dim=1, stable=True)[:, :-1]


def leave_one_out(points: Tensor, targets: Tensor, *, neighbours: int) -> Tensor:
    """Returns the class that each point's neighbours vote for, the point itself left out, int64 (N,); ties to the nearest.

    Args:
        points: (N, D).
        targets: class numbers, int64 (N,).

    Raises:
        ValueError: there are not so many others.
    """
    votes = targets[nearest(points, neighbours)]
    classes = int(targets.max()) + 1
    counts = torch.nn.functional.one_hot(votes, classes).sum(dim=1)
    # Among the classes with most votes, the one whose first vote is nearest.
    leading = counts.gather(1, votes) == counts.amax(dim=1, keepdim=True)
    return votes.gather(1, leading.int().argmax(dim=1, keepdim=True))[:, 0]


def trustworthiness(original: Tensor, embedded: Tensor, *, neighbours: int) -> float:
    """Returns how few points are neighbours on the map that are none in truth, in [0, 1]; 1 is a map without false neighbours.

    1 - 2/(N k (2N - 3k - 1)) Σ_i Σ_j max(0, r(i, j) - k) over the k neighbours j of i on the map, r(i, j) the rank of j among
    the true neighbours of i. Source: Venna and Kaski 2001, "Neighborhood preservation in nonlinear projection methods".

    Args:
        original: (N, D).
        embedded: (N, 2), the same points.

    Raises:
        ValueError: ``neighbours`` is not below N / 2.
    """
    count = len(original)
    if not neighbours < count / 2:
        raise ValueError(f"neighbours must be below half of {count} points, got {neighbours}")
    order = _order(original)
    ranks = torch.empty(count, count, dtype=torch.int64)
    ranks.scatter_(1, order, torch.arange(1, count).expand(count, -1))
    beyond = (ranks.gather(1, nearest(embedded, neighbours)) - neighbours).clamp_min(0)
    return 1 - 2 * float(beyond.sum()) / (count * neighbours * (2 * count - 3 * neighbours - 1))
