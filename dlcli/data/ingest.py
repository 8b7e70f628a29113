"""What a data set does to a photo before its networks see it: the contract, and how it is found.

A :class:`~dlcli.contracts.DataSource` with a class variable ``ingest`` owns such a step: ``dl predict`` finds it by looking at
the class that a model was trained on. Sets whose images are ordinary photos need none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Ingested:
    """A photo as a network of the set knows its examples.

    Args:
        image: float32 (C, H, W) in [0, 1], of the set's own shape.
        note: what people should know, such as that there were two; empty where all is well.
        changed: False where the image was in the set's form already.
    """

    image: Tensor
    note: str = ""
    changed: bool = True


class Ingest(Protocol):
    """Turns photos into examples of a set."""

    @property
    def purpose(self) -> str:
        """What it does, in a few words for people."""

    @property
    def longest(self) -> int:
        """How many pixels the longer side of a photo should have at most."""

    def __call__(self, photo: Tensor) -> Ingested:
        """Returns the example in ``photo``, uint8 (3, H, W). Raises DataError where there is none, without a file's name."""


def ingest_of(source: type) -> Ingest | None:
    """Returns the step that a data set's class owns, or None."""
    found: Ingest | None = getattr(source, "ingest", None)
    return found
