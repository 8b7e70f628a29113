"""How long a robustness report will take, measured on a few examples before its first attack."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from dlcli.commands.attack_chain import CURVE, NOISE, Link, attempted
from dlcli.commands.subject import Subject
from dlcli.engine.outcomes import clean_outcomes, polled
from dlcli.randomness import SampleKeys

_EXAMPLES = 64
# Share of a link's passes that an example costs which it breaks: most fall within the first steps.
_BROKEN = 0.1


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a few examples say.

    Args:
        forward, both: seconds of one example, forward alone, and forward and backward.
        standing: share of the correctly classified that stand after PGD.
        right: share that is classified correctly.
        examples: how many were looked at.
    """

    forward: float
    both: float
    standing: float
    right: float
    examples: int

    def seconds(self, links: Sequence[Link], examples: int, *, standing: float | None = None) -> float:
        """Returns what the links take on so many examples, of which a share ``standing`` stands to the end."""
        share = self.standing if standing is None else standing
        total = 0.0
        for link in links:
            backward = min(link.backwards, link.forwards)
            whole = backward * self.both + (link.forwards - backward) * self.forward
            if link.name == NOISE:
                total += examples * whole
            elif link.on_all and link.name != CURVE:
                total += examples * self.right * whole * (share + (1 - share) * _BROKEN)
            elif link.on_all:  # the radii before the one at which an example falls are paid for
                total += examples * self.right * whole * (share + (1 - share) * 0.25)
            else:
                total += examples * self.right * whole * share
        return total

    def words(self, links: Sequence[Link], examples: int) -> str:
        """Returns the estimate for people."""
        expected, most = self.seconds(links, examples), self.seconds(links, examples, standing=1.0)
        seen = f"of {self.examples} examples {100 * self.standing:.0f} % stood after PGD"
        return f"estimated cost: about {duration(expected)} ({seen}); {duration(most)} if every example stood to the end"


def estimate(
    subject: Subject, links: Sequence[Link], *, batch_size: int, seed: int, check: Callable[[], None] = lambda: None
) -> Estimate:
    """Returns what PGD did to a few examples, drawn at random, and how long a pass took."""
    count = len(subject.split)
    order = SampleKeys(seed, torch.arange(count)).bits("report/estimate", 0, ()).argsort()
    part = subject.split.select(order[:_EXAMPLES])
    few = Subject(subject.loaded, part, subject.device)
    with polled(subject.loaded.model, check):
        clean_outcomes(subject.loaded.model, part, batch_size=batch_size)  # warms up
        started = time.perf_counter()
        clean = clean_outcomes(subject.loaded.model, part, batch_size=batch_size)
        forward = (time.perf_counter() - started) / len(part)
    link = next(link for link in links if link.name == "pgd")
    rows = clean.right.nonzero().flatten()
    own = attempted(few, link, rows, clean, batch_size=batch_size, seed=seed, check=check)
    stood = int((own.predicted == clean.targets[rows]).sum())
    both = max((own.seconds - (own.forwards - own.backwards) * forward) / max(own.backwards, 1), forward)
    return Estimate(
        forward=forward,
        both=both,
        standing=stood / max(len(rows), 1),
        right=len(rows) / max(len(part), 1),
        examples=len(part),
    )


def duration(seconds: float) -> str:
    """Returns a time for people: ``40 s``, ``12 min``, ``3.1 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
