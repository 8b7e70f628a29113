"""A verdict on each explanation, from evidence that is necessary and not sufficient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Word = Literal["supported", "weak", "unsupported"]
WORDS: tuple[Word, ...] = ("supported", "weak", "unsupported")
LEAST = 0.9  # share of maps that know nothing which a supported map beats, at least
GAIN = 0.05  # margin over them, at least: an untrained network's gradients rank high as well, and gain 0.01
FALSE_TRUST = 0.1  # share of an untrained network's maps that may be supported, at most
SAME_CLASS, SAME_WEIGHTS = 0.9, 0.8  # rank correlations from which on two maps are told apart by nobody
UNSTEADY = 1.0  # change of a map under a small change of the image, in units of the map


@dataclass(frozen=True)
class Evidence:
    """What is known of N maps, float32 (N,) each.

    Args:
        percentile: share of maps that know nothing which it beats (:meth:`dlcli.metrics.faithfulness.Faithfulness.percentile`).
        margin: by how much it beats them (:meth:`dlcli.metrics.faithfulness.Faithfulness.margin`).
        untrained: rank correlation of its size with that of the same network's with new weights (Adebayo et al. 2018).
        empty: it is zero everywhere, bool.
        runner_up: rank correlation with the map of the second likeliest class; None where the class does not matter.
        sensitivity: largest change under small changes of the image, relative (Yeh et al. 2019); None: not looked at.
    """

    percentile: Tensor
    margin: Tensor
    untrained: Tensor
    empty: Tensor
    runner_up: Tensor | None = None
    sensitivity: Tensor | None = None


@dataclass(frozen=True)
class Verdict:
    """A word on one map, and why."""

    word: Word
    reason: str


def calibrated_bar(percentile: Tensor, margin: Tensor) -> float:
    """Returns the margin above which a map is supported: at most a tenth of an untrained network's maps have more.

    It is at least ``GAIN``. Maps that rank low are never supported and raise no bar. Rank alone would not do: a gradient finds
    what an untrained network listens to, too, and beats every map that knows nothing, by next to nothing.

    Args:
        percentile, margin: of maps of the network with new weights, (N,).
    """
    reached = torch.where(percentile >= LEAST, margin, -math.inf).sort(descending=True).values
    allowed = int(FALSE_TRUST * len(reached))
    return max(GAIN, float(reached[allowed]))


def passes(percentile: Tensor, margin: Tensor, bar: float) -> Tensor:
    """Whether maps rank high enough and by enough, bool (N,)."""
    return (percentile >= LEAST) & (margin > bar)


def verdicts(evidence: Evidence, bar: float) -> list[Verdict]:
    """Returns a verdict for each map: the first thing that speaks against it, worst first."""
    return [_verdict(evidence, row, bar) for row in range(len(evidence.percentile))]


def at_least(word: Word, found: Sequence[Verdict]) -> bool:
    """Whether all verdicts are ``word`` or better."""
    return all(WORDS.index(verdict.word) <= WORDS.index(word) for verdict in found)


def _verdict(evidence: Evidence, row: int, bar: float) -> Verdict:
    beaten = float(evidence.percentile[row])
    if evidence.empty[row]:
        return Verdict("unsupported", "the map is zero everywhere")
    if beaten < 0.5:
        return Verdict("unsupported", f"its pixels carry the class less than those of {1 - beaten:.0%} of maps that know nothing")
    if beaten < LEAST:
        return Verdict("weak", f"it beats {beaten:.0%} of maps that know nothing, and {LEAST:.0%} are needed")
    gain = float(evidence.margin[row])
    if gain <= bar:
        return Verdict("weak", f"it gains {gain:.2f} on maps that know nothing, and more than {bar:.2f} is needed here")
    if evidence.runner_up is not None and evidence.runner_up[row] >= SAME_CLASS:
        return Verdict("weak", "the second likeliest class has nearly the same map")
    if evidence.untrained[row] >= SAME_WEIGHTS:
        return Verdict("weak", "the same network without training has nearly the same map")
    if evidence.sensitivity is not None and evidence.sensitivity[row] > UNSTEADY:
        return Verdict("weak", "a change of the image that nobody sees changes the map as much as it is large")
    return Verdict("supported", "its pixels carry the class, and the map is gone without training")


def sensitivity(maps: Tensor, changed: Tensor) -> Tensor:
    """Returns the largest ‖Φ(x + δ) - Φ(x)‖ / ‖Φ(x)‖ over draws, (N,) of maps (N, …) and changed ones (draws, N, …).

    Yeh et al. 2019, definition 2.2. A map of zeros has 0 where it stays such, else infinity.
    """
    size = maps.flatten(1).norm(dim=1)
    moved = (changed - maps).flatten(2).norm(dim=2).amax(dim=0)
    return torch.where(moved == 0, 0, moved / size)
