"""Truth tables of two inputs: AND and OR, which one neuron learns, and XOR, which it provably does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from dlcli.contracts import Column, DataBundle, DataSource, DataSpec
from dlcli.data.memory import MemorySplit

OUTPUTS = {"and": (0, 0, 0, 1), "or": (0, 1, 1, 1), "xor": (0, 1, 1, 0)}


@dataclass(frozen=True, kw_only=True)
class TruthTable(DataSource):
    """The four rows (0, 0), (0, 1), (1, 0), (1, 1) of a gate.

    They are all that there is: no val, no test, nothing to standardise. That no single neuron computes XOR: Minsky and Papert
    1969, "Perceptrons".

    Args:
        gate: and, or, xor.

    Raises:
        ValueError: there is no such gate.
    """

    gate: Literal["and", "or", "xor"] = "and"

    def __post_init__(self) -> None:
        if self.gate not in OUTPUTS:
            raise ValueError(f"gate must be one of {', '.join(OUTPUTS)}, got '{self.gate}'")

    def load(self) -> DataBundle:
        """Returns the table as train."""
        rows = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        spec = DataSpec(
            name=self.gate,
            shape=(2,),
            classes=("0", "1"),
            mean=(0.0, 0.0),
            std=(1.0, 1.0),
            kind="table",
            epsilon={},
            columns=tuple(Column(name=name, low=0.0, high=1.0) for name in ("a", "b")),
        )
        return DataBundle(spec, MemorySplit(rows, torch.tensor(OUTPUTS[self.gate])), val=None, test=None)
