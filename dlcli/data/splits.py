"""From the images and labels of a published train and test part to a bundle: val held back, mean and std in its spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dlcli.contracts import DataBundle, DataSpec
from dlcli.data.memory import MemorySplit, stratified_holdout
from dlcli.errors import DataError

_CHUNK = 1024  # images; more would only widen the memory that counting takes


@dataclass(frozen=True, eq=False)
class Labelled:
    """Images uint8 (N, C, H, W) with their class numbers (N,), of any integer type."""

    images: Tensor
    labels: Tensor


def check_val_size(val_size: int, train_size: int) -> None:
    """Raises ValueError where ``val_size`` images cannot be held back from ``train_size``."""
    if not 1 <= val_size < train_size:
        raise ValueError(f"val_size must be in 1 … {train_size - 1}, got {val_size}")


def bundle_of(
    spec: DataSpec, train: Labelled, test: Labelled, *, val_size: int, split_seed: int, notes: Sequence[str] = ()
) -> DataBundle:
    """Returns the bundle of a set published in a train and a test part.

    Val is a stratified part of ``train``; ``index`` counts within each split.

    Args:
        spec: where ``mean`` and ``std`` are empty, they are measured on all of ``train``.
        val_size: how many train images are val.
        split_seed: chooses which.

    Raises:
        DataError: a label is no class number of ``spec``.
    """
    for part in (train, test):
        if not 0 <= int(part.labels.min()) <= int(part.labels.max()) < len(spec.classes):
            low, high = int(part.labels.min()), int(part.labels.max())
            raise DataError(f"the labels of {spec.name} are {low} … {high}, expected 0 … {len(spec.classes) - 1}")
    if not spec.mean:
        mean, std = channel_statistics(train.images)
        spec = replace(spec, mean=mean, std=std)
    labels = train.labels.to(torch.int64)
    holdout = stratified_holdout(labels, val_size, seed=split_seed)
    # One copy into channels last, then whole images are gathered.
    everything = MemorySplit(train.images, labels)
    kept, held = everything.select(holdout.rest), everything.select(holdout.held)
    return DataBundle(
        spec=spec,
        train=MemorySplit(kept.inputs, kept.targets),
        val=MemorySplit(held.inputs, held.targets),
        test=MemorySplit(test.images, test.labels),
        notes=tuple(notes),
    )


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns mean and standard deviation of each channel of uint8 images (N, C, H, W), as fractions of 255, to six places.

    Values are counted, so nothing is rounded on the way and the order does not matter.
    """
    levels = np.arange(256, dtype=np.float64) / 255
    means, deviations = [], []
    for channel in images.unbind(1):
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(channel), _CHUNK):
            counts += np.bincount(channel[start : start + _CHUNK].reshape(-1).numpy(), minlength=256)
        mean = float(counts @ levels / counts.sum())
        means.append(round(mean, 6))
        deviations.append(round(float(counts @ (levels - mean) ** 2 / counts.sum()) ** 0.5, 6))
    return tuple(means), tuple(deviations)
