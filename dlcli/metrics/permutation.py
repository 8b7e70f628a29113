"""What a column is worth to a model: how much worse it does when the column's cells change places."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlcli.contracts import Metric
from dlcli.metrics.intervals import mean_interval
from dlcli.randomness import SampleKeys


def permutation_importance(
    losses: Callable[[Tensor], Tensor],
    inputs: Tensor,
    *,
    draws: int,
    keys: SampleKeys,
    check: Callable[[], None] = lambda: None,
) -> list[Metric]:
    """Returns by how much the mean loss rises when each column is shuffled over the rows, with Student's t interval over rows.

    Source: Breiman 2001, "Random forests", section 10, with a loss in place of the error rate. A known limit: where two columns
    say the same, shuffling one costs little, and both look unimportant.

    Args:
        losses: of rows (N, D), (N,).
        inputs: (N, D), N at least 1.
        draws: shuffles of each column, whose rises are averaged; at least 1.
        keys: of the rows.
    """
    before = losses(inputs)
    found = []
    for column in range(inputs.shape[1]):
        rise = torch.zeros_like(before)
        for draw in range(draws):
            check()
            order = keys.uniform("permutation", column * draws + draw).argsort()
            shuffled = inputs.clone()
            shuffled[:, column] = inputs[order, column]
            rise += losses(shuffled) - before
        found.append(mean_interval(rise.cpu() / draws))
    return found
