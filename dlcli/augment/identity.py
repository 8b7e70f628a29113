"""No augmentation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from dlcli.contracts import Augment
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class Identity(Augment):
    """Gives the inputs back as they are."""

    def __call__(self, inputs: Tensor, *, rng: SampleKeys, step: int) -> Tensor:
        """Returns ``inputs`` itself."""
        return inputs
