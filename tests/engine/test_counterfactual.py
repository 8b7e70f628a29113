"""Nearest changes where they are known."""

import math

import torch
from torch import Tensor

from dlcli.engine.counterfactual import nearest_change

VALUES = {0: torch.arange(0.0, 11.0), 1: torch.arange(0.0, 11.0), 2: torch.tensor([1.0, 2.0, 3.0])}
SPANS = (10.0, 10.0, None)
ROW = torch.tensor([2.0, 2.0, 1.0])


def above(limit: float) -> object:
    """A model that says yes where the numbers add up to the limit."""

    def ask(rows: Tensor) -> Tensor:
        return ((rows[:, 0] + rows[:, 1]) - limit).sigmoid()

    return ask


def test_one_column_is_changed_as_little_as_will_do() -> None:
    found = nearest_change(above(7.0), ROW, VALUES, SPANS)  # type: ignore[arg-type]
    assert found.reached
    assert sorted(found.row.tolist()) == [1.0, 2.0, 5.0]
    assert found.chance == 0.5


def test_two_columns_are_changed_where_one_is_not_enough_and_by_the_smallest_sum() -> None:
    found = nearest_change(above(15.0), ROW, VALUES, SPANS)  # type: ignore[arg-type]
    assert found.reached
    assert float(found.row[:2].sum()) == 15.0
    assert found.row[2] == 1.0


def test_what_cannot_be_changed_stays_and_the_best_that_was_found_is_said() -> None:
    found = nearest_change(above(15.0), ROW, {0: VALUES[0]}, SPANS)  # type: ignore[arg-type]
    assert not found.reached
    assert found.row.tolist() == [10.0, 2.0, 1.0]
    assert math.isclose(found.chance, 1 / (1 + math.exp(3)), rel_tol=1e-5)


def test_a_category_costs_as_much_as_the_whole_range_of_a_number() -> None:
    def ask(rows: Tensor) -> Tensor:
        return ((rows[:, 2] == 3.0) | (rows[:, 0] >= 9.0)).float()

    found = nearest_change(ask, ROW, VALUES, SPANS)
    assert found.row.tolist() == [9.0, 2.0, 1.0]


def test_what_is_not_known_stays_unknown() -> None:
    row = torch.tensor([math.nan, 2.0, 1.0])

    def ask(rows: Tensor) -> Tensor:
        return (rows.nan_to_num(0.0).sum(dim=1) >= 8).float()

    found = nearest_change(ask, row, VALUES, SPANS)
    assert found.reached
    assert found.row[0].isnan()
    assert found.row[1:].tolist() == [7.0, 1.0]


def test_a_row_that_nothing_may_change_comes_back() -> None:
    found = nearest_change(above(15.0), ROW, {}, SPANS)  # type: ignore[arg-type]
    assert not found.reached
    assert torch.equal(found.row, ROW)
