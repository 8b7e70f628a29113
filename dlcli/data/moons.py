"""Two interleaved half moons in the plane: the smallest task that needs a bent boundary, and can be drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from dlcli.contracts import DataBundle, DataSource
from dlcli.data.raw_table import RawTable, numeric_table
from dlcli.data.table import Parts, bundle_of, check_shares, split_rows
from dlcli.randomness import SampleKeys

_FEWEST = 20


@dataclass(frozen=True, kw_only=True)
class Moons(DataSource):
    """Points on two half circles of radius 1, the second turned round and moved by (1, 0.5), with normal noise on both axes.

    Class 0 is the upper moon (cos t, sin t), class 1 the lower one (1 - cos t, 0.5 - sin t), t evenly from 0 to π.

    Args:
        examples: points in all, an even number of at least 20; half in each class.
        noise: standard deviation of the noise, at least 0; below 0.15 the moons hardly touch.
        noise_seed: chooses the noise.
        val_share, test_share: parts of the points, in [0, 1), together below 1; 0 means no such part.
        split_seed: chooses which points are val and which test.

    Raises:
        ValueError: a value is out of its range.
    """

    examples: int = 1000
    noise: float = 0.2
    noise_seed: int = 0
    val_share: float = 0.15
    test_share: float = 0.15
    split_seed: int = 0

    def __post_init__(self) -> None:
        if self.examples < _FEWEST or self.examples % 2:
            raise ValueError(f"examples must be an even number of at least {_FEWEST}, got {self.examples}")
        if not 0 <= self.noise < math.inf:
            raise ValueError(f"noise must be at least 0, got {self.noise}")
        check_shares(self.val_share, self.test_share)

    def load(self) -> DataBundle:
        """Draws the points and splits them, stratified."""
        raw = self.raw()
        parts = self.parts(raw)
        return bundle_of(raw, parts.train, parts.val, parts.test, name="moons")

    def parts(self, raw: RawTable) -> Parts:
        """Returns which points are train, val and test."""
        return split_rows(raw.targets, self.val_share, self.test_share, seed=self.split_seed)

    def raw(self) -> RawTable:
        """Draws the points."""
        angles = torch.linspace(0, math.pi, self.examples // 2)
        upper = torch.stack([angles.cos(), angles.sin()], dim=1)
        lower = torch.stack([1 - angles.cos(), 0.5 - angles.sin()], dim=1)
        noise = SampleKeys(self.noise_seed, torch.arange(self.examples)).normal("data/moons", 0, (2,))
        targets = torch.arange(self.examples) // (self.examples // 2)
        return numeric_table(torch.cat([upper, lower]) + self.noise * noise, ("x", "y"), targets, ("upper", "lower"))
