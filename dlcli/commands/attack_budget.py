"""``dl attack report --budget 60s``: the best answer that fits into a time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from dlcli.commands.attack_chain import Examined, Link, attempted, run_chain
from dlcli.commands.subject import Subject
from dlcli.engine.outcomes import Clean, Outcomes
from dlcli.randomness import SampleKeys

_UNITS: Mapping[str, float] = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
# Examples that are taken through all attacks together at first; later as many as take a tenth of the time.
_FIRST, _MOST, _SHARE = 16, 500, 0.1


class TimeIsUp(Exception):
    """Ends an attack inside its batch."""


def seconds_of(budget: str) -> float:
    """Returns ``60s``, ``5m``, ``1h`` or a number of seconds in seconds. Raises ValueError."""
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(s|m|min|h)?\s*", str(budget))
    if found is None or float(found[1]) <= 0:
        raise ValueError(f"budget must be a time such as 60s or 5m, got {budget!r}")
    return float(found[1]) * _UNITS[found[2] or ""]


def order_of(count: int, *, seed: int) -> Tensor:
    """Returns a random order of the examples, int64 (count,), that depends on the seed alone."""
    return SampleKeys(seed, torch.arange(count)).bits("report/order", 0, ()).argsort()


def within_budget(
    subject: Subject,
    links: Sequence[Link],
    clean: Clean,
    *,
    epsilon: float,
    until: float,
    batch_size: int,
    seed: int,
    check: Callable[[], None],
    done: Callable[[int], None] = lambda _count: None,
) -> Examined:
    """Takes random examples through the whole chain, some at a time, until the clock stands at ``until``.

    Only examples count that every attack was tried on for as long as they stood. What is under way when the time is over is
    thrown away whole: of a part of it the broken ones would be known first. So the share that stands estimates what the chain
    would find on all examples, but for the last part, which is the likelier to be cut off the more of it stands.

    Args:
        until: of ``time.perf_counter``.
    """

    def polled_check() -> None:
        check()
        if time.perf_counter() > until:
            raise TimeIsUp

    started = time.perf_counter()
    order = order_of(len(subject.split), seed=seed)
    parts: list[Examined] = []

    def attempt(link: Link, chosen: Tensor) -> Outcomes:
        return attempted(subject, link, chosen, clean, batch_size=batch_size, seed=seed, check=polled_check)

    place, size = 0, _FIRST
    try:
        while place < len(order):
            begun = time.perf_counter()
            parts.append(run_chain(subject, links, clean, order[place : place + size], epsilon=epsilon, attempt=attempt))
            each = (time.perf_counter() - begun) / size
            place = min(place + size, len(order))
            done(place)
            size = min(max(int(_SHARE * (until - started) / each), _FIRST), _MOST)
    except TimeIsUp:
        pass
    return _joined(parts, clean, epsilon)


def _joined(parts: Sequence[Examined], clean: Clean, epsilon: float) -> Examined:
    rows = torch.cat([part.examined for part in parts]) if parts else torch.arange(0)
    names = list(parts[0].found) if parts else []
    found = {name: _together([part.found[name] for part in parts]) for name in names}
    return Examined(clean=clean, epsilon=epsilon, examined=rows, found=found)


def _together(parts: Sequence[Outcomes]) -> Outcomes:
    def joined(field: str) -> Tensor:
        return torch.cat(list(_each(parts, field)))

    return Outcomes(
        rows=joined("rows"),
        predicted=joined("predicted"),
        distances=joined("distances"),
        forwards=sum(part.forwards for part in parts),
        backwards=sum(part.backwards for part in parts),
        seconds=sum(part.seconds for part in parts),
    )


def _each(parts: Sequence[Outcomes], field: str) -> Iterator[Tensor]:
    return (getattr(part, field) for part in parts)
