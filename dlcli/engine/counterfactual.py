"""The nearest row that a model takes for another class: few columns changed, each to a value that occurs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# Rows (n, D) to the chance of the class that is wanted, (n,).
Ask = Callable[[Tensor], Tensor]
_CHUNK = 65_536  # rows that the model is asked about at once


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A changed row.

    Args:
        row: float32 (D,); the nearest that reaches the wanted chance, else that of the highest chance.
        chance: of the wanted class there.
        reached: it is what was asked for.
    """

    row: Tensor
    chance: float
    reached: bool


def nearest_change(
    ask: Ask,
    row: Tensor,
    options: Mapping[int, Tensor],
    spans: Sequence[float | None],
    *,
    wanted: float = 0.5,
    most: int = 3,
    beam: int = 200,
) -> Counterfactual:
    """Looks for the change of fewest columns, and among those for the smallest (Wachter et al. 2017; Ustun et al. 2019).

    Size is Gower's distance: a number's change over what it spans, 1 for another category. Changes of one column are all
    tried; of two and more, those that go on from the ``beam`` most promising, so that nearer ones may exist.

    Args:
        row: (D,).
        options: values that a column may take, by its place; what is missing here stays.
        spans: of each column in train; None for categories.
        wanted: chance that is enough.
        most: columns that may change, at least 1.
    """
    frontier, best = row[None], Counterfactual(row, float(ask(row[None])[0]), False)
    for _ in range(most):
        tried = _changed_once_more(frontier, row, options)
        if not len(tried):
            return best
        chances = torch.cat([ask(part) for part in torch.split(tried, _CHUNK)])
        hits = chances >= wanted
        if hits.any():
            sizes = _sizes(tried[hits], row, spans)
            # Of equally small changes the one that convinces the model most.
            nearest = torch.where(sizes <= sizes.min() + 1e-6, chances[hits], -1.0).argmax()
            return Counterfactual(tried[hits][nearest], float(chances[hits][nearest]), True)
        top = chances.topk(min(beam, len(chances))).indices
        if float(chances[top[0]]) > best.chance:
            best = Counterfactual(tried[top[0]], float(chances[top[0]]), False)
        frontier = tried[top]
    return best


def _changed_once_more(rows: Tensor, original: Tensor, options: Mapping[int, Tensor]) -> Tensor:
    """All rows with one more column changed, each once, (n, D)."""
    found = []
    for place, values in options.items():
        still = rows[rows[:, place] == original[place]]  # NaN is equal to nothing: what is not known stays
        others = values[values != original[place]].to(rows)
        if len(still) and len(others):
            changed = still.repeat_interleave(len(others), dim=0)
            changed[:, place] = others.repeat(len(still))
            found.append(changed)
    if not found:
        return rows[:0]
    # NaN is unlike itself, so it steps aside while doubles are taken out.
    cells = torch.cat(found)
    missing = original.isnan()
    unique: Tensor = torch.unique(cells.masked_fill(missing, 0), dim=0)
    return torch.where(missing, original, unique)


def _sizes(rows: Tensor, original: Tensor, spans: Sequence[float | None]) -> Tensor:
    moved = (rows - original).nan_to_num(0.0).abs()
    parts = [moved[:, place] / span if span else (moved[:, place] > 0).to(moved.dtype) for place, span in enumerate(spans)]
    return torch.stack(parts, dim=1).sum(dim=1)
