"""Permutation importance where the rise is known."""

import pytest
import torch
from torch import Tensor

from dlcli.metrics.permutation import permutation_importance
from dlcli.randomness import SampleKeys


def rows(count: int) -> tuple[Tensor, SampleKeys]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, generator=generator), SampleKeys(0, torch.arange(count))


def test_a_squared_error_rises_by_twice_the_variance_of_what_is_shuffled() -> None:
    inputs, keys = rows(4000)
    slopes = torch.tensor([2.0, 1.0, 0.0])
    targets = inputs @ slopes

    def losses(cells: Tensor) -> Tensor:
        return (cells @ slopes - targets) ** 2

    # E(s x - s x')² = 2 s² for two independent standard normal cells.
    found = permutation_importance(losses, inputs, draws=8, keys=keys)
    assert found[0].value == pytest.approx(8, rel=0.05)
    assert found[1].value == pytest.approx(2, rel=0.05)
    assert found[2].value == 0
    assert found[0].low is not None
    assert found[0].high is not None
    assert found[0].low < 8 < found[0].high


def test_a_constant_column_is_worth_nothing_and_the_seed_gives_the_same() -> None:
    inputs, keys = rows(50)
    inputs[:, 1] = 3.0

    def losses(cells: Tensor) -> Tensor:
        return cells.exp().sum(dim=1)

    first, again = (permutation_importance(losses, inputs, draws=2, keys=keys) for _ in range(2))
    assert first[1].value == 0
    assert first == again


def test_a_stop_is_asked_for_at_each_draw() -> None:
    inputs, keys = rows(5)
    asked: list[int] = []
    permutation_importance(lambda cells: cells.sum(dim=1), inputs, draws=2, keys=keys, check=lambda: asked.append(1))
    assert len(asked) == 6
