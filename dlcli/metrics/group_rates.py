"""How a classifier treats groups of examples: rates of each group, and the same rates of resampled and of shuffled examples.

Letters in shapes: N examples, G groups, P classes, C classes that are asked about (of two the second, of more each), B resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcli.classifier import class_logits, predicted_classes
from dlcli.contracts import Predictions
from dlcli.metrics.calibration import forecasts

Array = NDArray[Any]
Rates = Mapping[str, Array]  # measure → float64 (B, G, C), with C = 1 for what does not depend on a class
BY_CLASS = ("selection_rate", "tpr", "fpr")
_CHUNK = 1_000_000  # examples looked at together
_SEED = 0  # the same predictions give the same figures


@dataclass(frozen=True, eq=False)
class Grouped:
    """Predictions sorted by group and, within it, by true class, as numpy arrays (N,).

    Args:
        truth, said: class numbers, int64.
        residual: forecast minus what came of it: of two classes p(second) - y, of more the top chance minus whether it is right.
        rank: place of the score among the different scores, from 0; None for more than two classes.
        sizes: examples by group and true class, int64 (G, P).
    """

    truth: Array
    said: Array
    residual: Array
    rank: Array | None
    sizes: Array

    @classmethod
    def of(cls, predictions: Predictions, groups: Tensor, count: int) -> Grouped:
        """Returns the examples whose group is in [0, ``count``); others are left out.

        Args:
            predictions: with calibrated logits where there is a calibration.
            groups: int64 (N,).
        """
        kept = ((groups >= 0) & (groups < count)).nonzero().flatten()
        logits, targets, groups = class_logits(predictions.logits.double())[kept], predictions.targets[kept], groups[kept]
        classes = logits.shape[1]
        order = (groups * classes + targets).argsort(stable=True)
        logits, targets, groups = logits[order], targets[order], groups[order]
        ordered = Predictions(logits, targets, kept[order])
        chance, hit = forecasts(ordered)
        rank = torch.unique(logits[:, 1] - logits[:, 0], return_inverse=True)[1].numpy() if classes == 2 else None
        sizes = torch.bincount(groups * classes + targets, minlength=count * classes).reshape(count, classes)
        residual = (chance.double() - hit.double()).numpy()
        return cls(targets.numpy(), predicted_classes(logits).numpy(), residual, rank, sizes.numpy())

    @property
    def classes(self) -> int:
        """P."""
        return int(self.sizes.shape[1])

    @property
    def asked(self) -> tuple[int, ...]:
        """The classes that rates are of: rates of the first of two say nothing that those of the second do not."""
        return (1,) if self.classes == 2 else tuple(range(self.classes))

    def only(self, groups: Sequence[int]) -> Grouped:
        """Returns the examples of some groups; the others are there with no example."""
        sizes = np.zeros_like(self.sizes)
        sizes[list(groups)] = self.sizes[list(groups)]
        owner = np.repeat(np.arange(len(sizes)), self.sizes.sum(axis=1))
        kept = np.isin(owner, list(groups))
        rank = None if self.rank is None else self.rank[kept]
        return Grouped(self.truth[kept], self.said[kept], self.residual[kept], rank, sizes)


def observed(sample: Grouped) -> Rates:
    """Returns the rates of the groups themselves, (1, G, C)."""
    return _rates(sample, [rows[None] for rows in _own_rows(sample)], areas=True)


def resampled(sample: Grouped, resamples: int) -> Rates:
    """Returns the rates of groups whose examples are drawn again with replacement, each group from itself and in its size."""
    random = np.random.default_rng(_SEED)
    own = _own_rows(sample)

    def draw(count: int) -> list[Array]:
        return [rows[random.integers(max(len(rows), 1), size=(count, len(rows)))] for rows in own]

    return _in_chunks(sample, resamples, draw, areas=True)


def shuffled(sample: Grouped, resamples: int) -> Rates:
    """Returns the rates of groups of the same sizes whose members are dealt out at random; without areas."""
    random = np.random.default_rng(_SEED)
    ends = np.cumsum(sample.sizes.sum(axis=1))[:-1]

    def deal(count: int) -> list[Array]:
        return np.split(_permuted(random, np.arange(len(sample.truth)), count), ends, axis=1)

    return _in_chunks(sample, resamples, deal, areas=False)


def shuffled_within_classes(sample: Grouped, resamples: int) -> Rates:
    """Returns the rates of groups that keep how many of each true class they have, and get others of these classes."""
    random = np.random.default_rng(_SEED)

    def deal(count: int) -> list[Array]:
        parts: list[list[Array]] = [[] for _ in sample.sizes]
        for label in range(sample.classes):
            mixed = _permuted(random, np.flatnonzero(sample.truth == label), count)
            pieces = np.split(mixed, np.cumsum(sample.sizes[:, label])[:-1], axis=1)
            for group, piece in zip(parts, pieces, strict=True):
                group.append(piece)
        return [np.concatenate(group, axis=1) for group in parts]

    return _in_chunks(sample, resamples, deal, areas=True)


def _own_rows(sample: Grouped) -> list[Array]:
    return np.split(np.arange(len(sample.truth)), np.cumsum(sample.sizes.sum(axis=1))[:-1])


def _permuted(random: np.random.Generator, rows: Array, count: int) -> Array:
    """``count`` orders of ``rows``, each at random."""
    return random.permuted(np.broadcast_to(rows.astype(np.int32), (count, len(rows))), axis=1)


def _in_chunks(sample: Grouped, resamples: int, draw: Callable[[int], list[Array]], *, areas: bool) -> Rates:
    at_once = max(1, _CHUNK // max(len(sample.truth), 1))

    def parts() -> Iterator[Rates]:
        for start in range(0, resamples, at_once):
            yield _rates(sample, draw(min(at_once, resamples - start)), areas=areas)

    found = list(parts())
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def _rates(sample: Grouped, members: Sequence[Array], *, areas: bool) -> Rates:
    """The rates of groups whose ``members`` are rows (B, n) of the sample, one array a group."""
    classes, asked = sample.classes, list(sample.asked)
    hits = np.where(sample.truth == sample.said, sample.truth, classes)
    present, predicted, right = (
        np.stack([_counted(values[rows], classes + 1)[:, :classes] for rows in members], axis=1)
        for values in (sample.truth, sample.said, hits)
    )
    size = np.array([rows.shape[1] for rows in members])[None, :, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = {
            "selection_rate": (predicted / size)[:, :, asked],
            "tpr": (right / present)[:, :, asked],
            "fpr": ((predicted - right) / (size - present))[:, :, asked],
            "accuracy": right.sum(axis=2, keepdims=True) / size,
            "calibration_gap": np.stack([sample.residual[rows].sum(axis=1) for rows in members], axis=1)[:, :, None] / size,
        }
        if sample.rank is not None and areas:
            found = [_areas(sample.rank, sample.truth, rows) for rows in members]
            rates["auroc"] = np.stack(found, axis=1)[:, :, None]
    return rates


def _counted(values: Array, kinds: int) -> Array:
    """How often each of 0 … kinds - 1 occurs in each row of values (B, n): int64 (B, kinds)."""
    offsets = np.arange(len(values), dtype=np.int64)[:, None] * kinds
    return np.bincount((values + offsets).ravel(), minlength=len(values) * kinds).reshape(len(values), kinds)


def _areas(rank: Array, truth: Array, rows: Array) -> Array:
    """The area under the ROC curve of each line of rows (B, n); ties count half, and NaN stands where a class is absent."""
    present = np.zeros(int(rank.max(initial=-1)) + 1, dtype=bool)
    present[rank[rows]] = True
    place = (np.cumsum(present) - 1)[rank] * 2 + truth  # rows of one group have fewer different scores than the whole
    different = int(present.sum())
    counts = _counted(place[rows], 2 * different).reshape(len(rows), different, 2)
    others, positives = counts[:, :, 0], counts[:, :, 1]
    twice_below = 2 * others.cumsum(axis=1) - others
    pairs = positives.sum(axis=1) * others.sum(axis=1)
    return np.asarray(np.einsum("ij,ij->i", positives, twice_below) / (2 * pairs))
