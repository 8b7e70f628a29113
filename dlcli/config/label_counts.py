"""``compare``: learning curves over so many labels per class, and what has no place beside them. No torch in here."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcli.config.schema import FinetuneSettings

_COUNTS = re.compile(r" *[0-9]{1,9} *(, *[0-9]{1,9} *)*")
# What says otherwise which labels there are, or what is trained on them.
_LEFT_ALONE: Mapping[str, Any] = {"labels": None, "limit_train": None, "overfit": None, "lr_find": False, "baseline": True}


def label_counts(compare: str | int | list[int]) -> tuple[int, ...]:
    """Returns labels per class, rising, from text such as ``10,30,100``, or a list. Raises ValueError, also where one is named
    twice: it would be done once."""
    words = ",".join(map(str, compare)) if isinstance(compare, list) else str(compare)
    if not _COUNTS.fullmatch(words):
        raise ValueError(f"compare={compare}: expected labels per class, such as 10,30,100")
    counts = sorted(int(word) for word in words.split(","))
    twice = next((count for count, following in itertools.pairwise(counts) if count == following), None)
    if twice is not None:
        once = ",".join(map(str, dict.fromkeys(counts)))
        raise ValueError(f"compare={compare}: {twice} is there twice, expected each count once, such as {once}")
    if counts[0] < 2:
        raise ValueError(f"compare={compare}: expected 2 labels per class or more, one to train on and one to choose by")
    return tuple(counts)


def refuse_beside_a_comparison(settings: FinetuneSettings) -> None:
    """Raises ValueError for settings that contradict ``compare``, or leave it nothing to compare."""
    own = f"compare={settings.compare}"
    for key, default in _LEFT_ALONE.items():
        if (value := getattr(settings, key)) != default:
            shown = str(value).lower() if isinstance(value, bool) else value
            raise ValueError(f"{own} trains on its own subsets, and from scratch as well: {key}={shown} has no place beside it")
    if settings.is_random:
        raise ValueError(f"{own} asks what pretraining is worth: expected weights=imagenet or a file, not none")
    if settings.strategy.last == 0:
        raise ValueError(f"{own} trains a linear probe anyway: expected another strategy, such as strategy=head_first")
