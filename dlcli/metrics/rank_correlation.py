"""Spearman's rank correlation, row by row, of two tensors or of several."""

from __future__ import annotations

import torch
from torch import Tensor


def spearman(first: Tensor, second: Tensor) -> Tensor:
    """Returns the correlation of ranks between rows, float32 (N,) of two tensors (N, P); equal values share their mean rank.

    A row whose values are all equal has no order: its correlation is 0.
    """
    ranks = [_ranks(values.flatten(1).double()) for values in (first, second)]
    a, b = (rank - rank.mean(dim=1, keepdim=True) for rank in ranks)
    below = a.norm(dim=1) * b.norm(dim=1)
    above = (a * b).sum(dim=1)
    return torch.where(below > 0, above / torch.where(below > 0, below, 1), 0).float()


def pairwise_spearman(values: Tensor) -> Tensor:
    """Returns the correlation of ranks between every two of M tensors, float32 (N, M, M), of values (M, N, P).

    What has no order correlates with nothing, and with itself: 0 beside the diagonal, 1 on it.
    """
    ranks = torch.stack([_ranks(part.flatten(1).double()) for part in values], dim=1)
    centred = ranks - ranks.mean(dim=2, keepdim=True)
    length = centred.norm(dim=2, keepdim=True)
    unit = centred / torch.where(length > 0, length, 1)
    found = unit @ unit.transpose(1, 2)
    found.diagonal(dim1=1, dim2=2).fill_(1)
    return found.float()


def _ranks(values: Tensor) -> Tensor:
    ordered = values.sort(dim=1).values
    low, high = (torch.searchsorted(ordered, values, right=right) for right in (False, True))
    return (low + high - 1).double() / 2
