"""Tables under attack: the columns that may move, each in units of the range it has in train, as inputs in the unit box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dlcli.contracts import Batch, DataSpec, Split
from dlcli.data.columns import named
from dlcli.data.memory import MemorySplit
from dlcli.errors import DataError, UsageError, did_you_mean

# A tenth of what train spans in every column (linf); three tenths in one column, or spread over several (l2).
EPSILON = {"linf": 0.1, "l2": 0.3}
REASON = "shares of each column's range in train"


def movable_columns(spec: DataSpec, immutable: Sequence[str]) -> tuple[int, ...]:
    """Returns which columns of a table an attack may move: those of numbers that are not ``immutable`` and not constant.

    Raises:
        UsageError: a name is no column's, or no column is left.
        DataError: what train spans is not known of a column that would move.
    """
    names = [column.name for column in spec.columns]
    by_name = {name.casefold(): name for name in names}
    fixed = set()
    for name in immutable:
        if name.casefold() not in by_name:
            near = did_you_mean(name, names) or f"; it has {named(names)}"
            raise UsageError(f"--immutable {name}: {spec.name} has no such column{near}", hint="--immutable NAME,NAME")
        fixed.add(by_name[name.casefold()])
    numbers = [place for place, column in enumerate(spec.columns) if not column.categories and column.name not in fixed]
    unknown = [
        spec.columns[place].name for place in numbers if spec.columns[place].low is None or spec.columns[place].high is None
    ]
    if unknown or not spec.columns:
        which = f" for {named(unknown)}" if unknown else ""
        raise DataError(
            f"the model of {spec.name} does not know the ranges of train{which}, so no change has a size", hint="train it again"
        )
    found = tuple(place for place in numbers if _range(spec, place)[1] > _range(spec, place)[0])
    if not found:
        raise UsageError(f"no column of {spec.name} may move: categories and --immutable columns stay", hint="fewer --immutable")
    return found


@dataclass(frozen=True, eq=False)
class Moves:
    """A split's rows and the columns of them that may move, on one device.

    What is presented to an attack is (N, 1, 1, M), 0 the lowest and 1 the highest value in train. A cell that is missing, or
    outside of what train spans, stays as it is and is presented as 0.5.

    Args:
        rows: as the model reads them, float32 (N, D).
        index: the positions of ``rows`` in the split, int64 (N,).
        targets: class numbers, int64 (N,).
        places: which of the D columns the M are, int64 (M,).
        low, high: their ranges in train, float32 (M,).
    """

    rows: Tensor
    index: Tensor
    targets: Tensor
    places: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, split: Split, spec: DataSpec, places: Sequence[int]) -> Moves:
        """Takes all rows of a split."""
        batch: Batch = next(iter(split.batches(torch.arange(len(split)), max(len(split), 1))))
        device = batch.inputs.device
        low, high = torch.tensor([_range(spec, place) for place in places], device=device).T
        return cls(batch.inputs, batch.index, batch.targets, torch.tensor(list(places), device=device), low, high)

    @property
    def span(self) -> Tensor:
        """What train spans in each column, (M,)."""
        return self.high - self.low

    @property
    def free(self) -> Tensor:
        """Which cells may move, bool (N, M); NaN is outside of every range."""
        cells = self.rows[:, self.places]
        return (cells >= self.low) & (cells <= self.high)

    @property
    def presented(self) -> Tensor:
        """The cells as an attack sees them, float32 (N, 1, 1, M) in [0, 1]."""
        scaled = ((self.rows[:, self.places] - self.low) / self.span).clamp(0, 1)
        return torch.where(self.free, scaled, 0.5)[:, None, None]

    def split(self) -> MemorySplit:
        """Returns the presented examples."""
        return MemorySplit(self.presented, self.targets, index=self.index)

    def take(self, which: Tensor) -> Moves:
        """Returns those at ``which``, int64 (n,)."""
        return replace(self, rows=self.rows[which], index=self.index[which], targets=self.targets[which])

    def rebuilt(self, moved: Tensor) -> Tensor:
        """Returns the rows with their cells moved to ``moved``, (N, 1, 1, M); what did not move is exactly as it was."""
        cells, free = self.rows[:, self.places], self.free
        after = cells + (moved - self.presented).flatten(1) * self.span
        # Rounding must not leave the range, nor cost the gradient of what is at its end.
        after = after + (torch.maximum(torch.minimum(after, self.high), self.low) - after).detach()
        return self.rows.index_copy(1, self.places, torch.where(free, after, cells))


class MovedRows(nn.Module):
    """A classifier of tables, asked through the columns that may move: (n, 1, 1, M) and positions (n,) in, logits (n, K) out."""

    by_example = True

    def __init__(self, model: nn.Module, moves: Moves) -> None:
        super().__init__()
        self.model, self.moves = model, moves
        places = torch.zeros(int(moves.index.max()) + 1 if len(moves.index) else 0, dtype=torch.long, device=moves.index.device)
        self.places = places.index_copy(0, moves.index, torch.arange(len(moves.index), device=moves.index.device))

    def forward(self, inputs: Tensor, index: Tensor) -> Tensor:
        logits: Tensor = self.model(self.moves.take(self.places[index]).rebuilt(inputs))
        return logits


def _range(spec: DataSpec, place: int) -> tuple[float, float]:
    column = spec.columns[place]
    assert column.low is not None
    assert column.high is not None
    return column.low, column.high
