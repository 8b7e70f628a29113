"""Subsets with so many labels of each class that grow into each other, for learning curves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.randomness import SampleKeys

# Of each class's labels in their random order, the second and then every fifth one is val's.
_EVERY, _FIRST = 5, 1


@dataclass(frozen=True, eq=False)
class LabelSubset:
    """Two disjoint sets of positions in a split, ascending, int64: what is trained on, and what an epoch is chosen by."""

    train: Tensor
    val: Tensor


def label_subset(targets: Tensor, per_class: int, *, seed: int) -> LabelSubset:
    """Chooses exactly ``per_class`` examples of each class, about a fifth of them (at least one) for val.

    With the same ``targets`` and ``seed``, train and val of a smaller ``per_class`` lie inside those of a larger one: what a
    learning curve gains comes from more labels, not from other ones.

    Args:
        targets: class numbers, int64 (N,), on the CPU; classes without examples below the largest number count as empty.
        per_class: labels of each class, 2 or more.
        seed: any integer.

    Raises:
        ValueError: a class has fewer examples, or ``per_class`` is below 2.
    """
    fewest = int(targets.bincount().min())
    if not 2 <= per_class <= fewest:
        raise ValueError(f"expected 2 … {fewest} labels per class, got {per_class}")
    rank = _rank_in_class(targets, seed)
    chosen, is_val = rank < per_class, rank % _EVERY == _FIRST
    return LabelSubset((chosen & ~is_val).nonzero().flatten(), (chosen & is_val).nonzero().flatten())


def _rank_in_class(targets: Tensor, seed: int) -> Tensor:
    """Each example's place in a random order of its class, from 0."""
    shuffled = SampleKeys(seed, torch.arange(len(targets))).bits("data/growing", 0, ()).argsort(stable=True)
    by_class = shuffled[targets[shuffled].argsort(stable=True)]
    counts = targets.bincount()
    rank = torch.empty_like(targets)
    rank[by_class] = torch.arange(len(targets)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    return rank
