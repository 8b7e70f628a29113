"""Robust accuracy from a table of distances: how far each attack had to go to fool the model on each example.

A distance is infinite where the attack failed, and NaN where it was not tried; misclassified examples have distance 0, since
nothing needs to change for them. Every figure is of the worst case of each example, never the smallest of several averages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dlcli.contracts import Metric
from dlcli.metrics.intervals import wilson

# A point on the ball's surface may lie outside of it by rounding.
TOLERANCE = 1e-6


def fooling_distances(right: Tensor, rows: Tensor, predicted: Tensor, targets: Tensor, sizes: Tensor) -> Tensor:
    """Returns one attack's column of the table, float32 (N,).

    Args:
        right: which examples are correct without an attack, bool (N,).
        rows: positions of those that were attacked, int64 (M,).
        predicted, sizes: their class after the attack, int64 (M,), and how much of them was changed, float32 (M,).
        targets: true classes, int64 (N,).
    """
    column = torch.full((len(right),), torch.nan)
    column[rows] = torch.where(predicted != targets[rows], sizes.float(), torch.inf)
    return column.masked_fill(~right, 0.0)


def smallest(table: Mapping[str, Tensor]) -> Tensor:
    """Returns the smallest distance that any attack found for each example, float32 (N,): an upper bound of the true one.

    Infinite where every attack that was tried failed; NaN where none was tried.
    """
    columns = torch.stack(list(table.values()))
    tried = ~columns.isnan()
    return columns.masked_fill(~tried, torch.inf).amin(dim=0).masked_fill(~tried.any(dim=0), torch.nan)


def standing(distances: Tensor, epsilon: float) -> Tensor:
    """Returns which examples stand in the ball of radius ``epsilon``, bool (N,)."""
    return distances > epsilon * (1 + TOLERANCE) + TOLERANCE


def robust_accuracy(distances: Tensor, epsilon: float) -> Metric:
    """Returns the share that stands at ``epsilon``, with Wilson's interval; examples that were not tried are left out."""
    tried = ~distances.isnan()
    return wilson(int((standing(distances, epsilon) & tried).sum()), int(tried.sum()))


def curve(distances: Tensor, radii: Sequence[float]) -> dict[float, Metric]:
    """Returns robust accuracy at each radius; it never rises, since every smaller ball lies inside the larger one."""
    return {radius: robust_accuracy(distances, radius) for radius in radii}


def survival(before: Tensor, column: Tensor, epsilon: float) -> Metric:
    """Returns the share of the examples that stood before an attack and also stood after it.

    Args:
        before: which examples the attack was tried on, bool (N,).
        column: its distances, (N,).
    """
    return wilson(int((before & standing(column, epsilon)).sum()), int(before.sum()))


def histogram(distances: Tensor, edges: Sequence[float]) -> tuple[list[int], int]:
    """Returns how many examples fall first between neighbouring ``edges``, and how many beyond the last.

    Those that were not tried, and those that are wrong without an attack, are left out.
    """
    found = distances[(distances > 0) & ~distances.isnan()]
    bounds = torch.tensor(list(edges), dtype=torch.float64) * (1 + TOLERANCE) + TOLERANCE
    places = torch.bucketize(found.double(), bounds)
    counts = torch.bincount(places, minlength=len(edges) + 1).tolist()
    # What lies below the first edge belongs to the first bin.
    return [counts[0] + counts[1], *counts[2 : len(edges)]], counts[len(edges)]
