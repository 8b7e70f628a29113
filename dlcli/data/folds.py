"""Folds with the class shares of the whole."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.randomness import SampleKeys, key


def stratified_folds(targets: Tensor, folds: int, *, seed: int, repeat: int = 0) -> Tensor:
    """Gives each example the fold that holds it back.

    Within a class the examples are dealt out in a keyed order, one class after the other, so that folds differ by at most
    one example in each class and in all. The folds depend on ``targets``, ``folds``, ``seed`` and ``repeat`` alone.

    Args:
        targets: class numbers, int64 (N,), on the CPU.
        folds: how many, in [2, N].
        repeat: another number deals again.

    Returns:
        Fold numbers, int64 (N,).

    Raises:
        ValueError: ``folds`` is out of range.
    """
    if not 2 <= folds <= len(targets):
        raise ValueError(f"folds must be in 2 … {len(targets)}, got {folds}")
    shuffled = SampleKeys(key(seed, "folds", repeat), torch.arange(len(targets))).bits("data/folds", 0, ()).argsort(stable=True)
    dealt = shuffled[targets[shuffled].argsort(stable=True)]
    numbers = torch.empty_like(dealt)
    numbers[dealt] = torch.arange(len(targets)) % folds
    return numbers
