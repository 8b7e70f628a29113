"""Files with the same bytes: which there are, and how to hold images back without parting them.

The same photo in train and in test is the commonest leak of a folder of images; where dlcli chooses the parts, copies of a
file stay together.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor

from dlcli.data.layout import Files
from dlcli.data.memory import Holdout, stratified_holdout

MOST_FILES = 200_000  # of equal size with another; reading parts of more would delay every command by minutes
_TAIL = 4096  # bytes; photos of equal size hardly ever agree in their ends


def copies(files: Files) -> Tensor | None:
    """Returns for each file the row of the first file with the same bytes, int64 (N,); None where there are too many to look at.

    Only files of equal size are opened, and only those that also end alike are read as a whole.
    """
    sizes = dict(enumerate(files.sizes.tolist()))
    alike = _with_company({row: size for row, size in sizes.items() if size > 0})
    if len(alike) > MOST_FILES:
        return None
    digests: dict[int, tuple[int, bytes | str]] = {}
    for whole in (False, True):
        digests = {row: _digest(files.path(row), sizes[row], whole=whole) for row in alike}
        alike = _with_company(digests)
    first = torch.arange(len(files))
    leaders: dict[object, int] = {}
    for row in alike:
        first[row] = leaders.setdefault(digests[row], row)
    return first


def holdout(targets: Tensor, groups: Tensor, size: int, *, seed: int) -> Holdout:
    """Holds ``size`` groups back with the class shares of the whole; examples of one group stay together.

    A group counts once, in the class of its first example.

    Args:
        targets: class numbers, int64 (N,).
        groups: for each example a number that is its group's, int64 (N,).
        size: how many groups, in [1, groups - 1].

    Raises:
        ValueError: ``size`` is out of range.
    """
    numbers, inverse = torch.unique(groups, return_inverse=True)
    first = torch.full((len(numbers),), len(groups)).scatter_reduce_(0, inverse, torch.arange(len(groups)), "amin")
    held = torch.zeros(len(first), dtype=torch.bool)
    held[stratified_holdout(targets[first], size, seed=seed).held] = True
    return Holdout((~held[inverse]).nonzero().flatten(), held[inverse].nonzero().flatten())


def _with_company(keys: Mapping[int, object]) -> list[int]:
    """The rows whose key another row has too."""
    counts = Counter(keys.values())
    return [row for row, value in keys.items() if counts[value] > 1]


def _digest(path: str, size: int, *, whole: bool) -> tuple[int, bytes | str]:
    """Size and hash of a file or of its end; the path itself where it cannot be read, which decoding will say."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a million paths: Path objects would double the time
            if whole:
                return size, hashlib.file_digest(file, "blake2b").digest()
            file.seek(max(0, size - _TAIL))
            return size, hashlib.blake2b(file.read(_TAIL), digest_size=16).digest()
    except OSError:
        return size, path
