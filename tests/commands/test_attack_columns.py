"""Which columns of a table move, and what an attack sees of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.pgd import PGD
from dlcli.attacks.square import Square
from dlcli.commands.attack_columns import EPSILON, MovedRows, Moves, movable_columns
from dlcli.contracts import Attack, Column, DataSpec
from dlcli.data.memory import MemorySplit
from dlcli.engine.perturb import perturb
from dlcli.errors import DataError, UsageError

COLUMNS = (
    Column(name="Age", low=20.0, high=60.0),
    Column(name="Gender", categories=("f", "m")),
    Column(name="Pay", low=0.0, high=1000.0),
    Column(name="Constant", low=3.0, high=3.0),
)
SPEC = DataSpec(
    name="staff",
    shape=(4,),
    classes=("stays", "leaves"),
    mean=(0.0,) * 4,
    std=(1.0,) * 4,
    kind="table",
    epsilon={},
    columns=COLUMNS,
)
ROWS = torch.tensor([[30.0, 1.0, 100.0, 3.0], [70.0, 2.0, 500.0, 3.0], [60.0, 2.0, torch.nan, 3.0]])
SPLIT = MemorySplit(ROWS, torch.tensor([0, 1, 0]), index=torch.tensor([4, 7, 5]))


class Sum(nn.Module):
    """Leaves where age, gender's code and pay / 1000 together are above a bound."""

    def __init__(self, bound: float = 32.0) -> None:
        super().__init__()
        self.bound = bound

    def forward(self, rows: Tensor) -> Tensor:
        filled = rows.nan_to_num(0.0)
        return (filled[:, 0] + filled[:, 1] + filled[:, 2] / 1000 - self.bound)[:, None]


def moves(places: tuple[int, ...] = (0, 2)) -> Moves:
    return Moves.of(SPLIT, SPEC, places)


def test_numbers_that_vary_move_and_categories_and_the_immutable_do_not() -> None:
    assert movable_columns(SPEC, ()) == (0, 2)
    assert movable_columns(SPEC, ("age",)) == (2,)


def test_a_name_that_is_no_columns_is_refused_with_what_is_near() -> None:
    with pytest.raises(UsageError, match="--immutable Agee: staff has no such column; did you mean 'Age'"):
        movable_columns(SPEC, ("Agee",))


def test_where_nothing_may_move_it_is_said() -> None:
    with pytest.raises(UsageError, match="no column of staff may move"):
        movable_columns(SPEC, ("Age", "Pay"))


@pytest.mark.parametrize("columns", [(), (COLUMNS[0], Column(name="Pay"))])
def test_a_table_without_ranges_has_no_sizes(columns: tuple[Column, ...]) -> None:
    with pytest.raises(DataError, match="does not know the ranges of train"):
        movable_columns(replace(SPEC, columns=columns), ())


def test_an_attack_sees_shares_of_the_range_and_a_half_where_a_cell_stays() -> None:
    # 30 of 20 … 60 is a quarter; 70 is outside of the range, and a missing pay stays missing.
    expected = torch.tensor([[0.25, 0.1], [0.5, 0.5], [1.0, 0.5]])
    torch.testing.assert_close(moves().presented, expected[:, None, None])
    assert moves().free.tolist() == [[True, True], [False, True], [True, False]]


def test_a_row_is_rebuilt_in_its_own_units_and_what_stays_stays() -> None:
    moved = torch.tensor([[0.5, 0.1], [1.0, 0.0], [0.75, 1.0]])[:, None, None]
    rebuilt = moves().rebuilt(moved)
    expected = torch.tensor([[40.0, 1.0, 100.0, 3.0], [70.0, 2.0, 0.0, 3.0], [50.0, 2.0, torch.nan, 3.0]])
    torch.testing.assert_close(rebuilt, expected, equal_nan=True)


def test_what_did_not_move_is_exactly_as_it_was() -> None:
    rows = torch.rand(500, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([37.0, 1.0, 997.0, 1.0])
    rows[:, 0] += 21
    own = Moves.of(MemorySplit(rows, torch.zeros(500)), SPEC, (0, 2))
    assert own.rebuilt(own.presented).equal(rows)


def test_no_row_leaves_the_range_and_its_ends_have_a_gradient() -> None:
    leaf = torch.tensor([[0.0, 1.0], [0.5, 1.0], [1.0, 0.5]])[:, None, None].requires_grad_()
    rebuilt = moves().rebuilt(leaf)
    assert rebuilt[0, 0] == 20
    assert rebuilt[0, 2] == 1000
    (slope,) = torch.autograd.grad(rebuilt.nan_to_num().sum(), leaf)
    # 40 years and 1000 in pay per unit where a cell is free.
    assert slope.flatten(1).tolist() == [[40.0, 1000.0], [0.0, 1000.0], [40.0, 0.0]]


def test_a_model_is_asked_about_the_rows_that_the_index_names() -> None:
    moved = MovedRows(Sum(), moves())
    expected = Sum()(ROWS)
    torch.testing.assert_close(moved(moves().presented, SPLIT.index), expected)
    torch.testing.assert_close(moved(moves().presented[[2, 0]], torch.tensor([5, 4])), expected[[2, 0]])


@pytest.mark.parametrize("attack", [PGD(epsilon=0.1), Square(epsilon=0.1, queries=50)], ids=["pgd", "square"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_an_attack_knows_nothing_of_tables_and_breaks_what_its_ball_reaches(attack: Attack, size: int) -> None:
    own = moves()
    model = MovedRows(Sum(), own)
    # The first is at 31.1 and reaches 30 + 4 years; the second, of 72.5, cannot leave at all; the third is at 62.
    found = list(perturb(model, attack, own.split(), batch_size=size, seed=0))
    assert torch.cat([part.clean for part in found]).tolist() == [0, 1, 1]
    assert torch.cat([part.success for part in found]).tolist() == [True, False, False]
    rows = own.rebuilt(torch.cat([part.adversarial for part in found]))
    assert rows[0, 0] <= 34 + 1e-4
    assert rows[:, [1, 3]].equal(ROWS[:, [1, 3]])
    assert Sum()(rows[:1]) > 0


def test_there_is_a_radius_for_either_norm() -> None:
    assert set(EPSILON) == {"linf", "l2"}
