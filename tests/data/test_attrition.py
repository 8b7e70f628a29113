import pytest
import torch

from dlcli.data.attrition import ORDERS, SHIPPED, Attrition
from dlcli.data.csv import read_csv
from dlcli.data.table import bundle_of
from dlcli.errors import UsageError


@pytest.fixture(scope="module")
def bundle():
    return Attrition().load()


def test_there_are_1470_employees_237_of_whom_left(bundle):
    raw = Attrition().raw()
    assert (len(raw), int(raw.targets.sum()), raw.classes) == (1470, 237, ("No", "Yes"))
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (1030, 220, 220)
    for split in (bundle.train, bundle.val, bundle.test):
        assert float(split.targets.float().mean()) == pytest.approx(237 / 1470, abs=0.005)


def test_there_are_sixteen_numbers_and_fourteen_categories(bundle):
    numbers = [column.name for column in bundle.spec.columns if not column.categories]
    assert (len(numbers), len(bundle.spec.columns)) == (16, 30)
    assert {"Age", "MonthlyIncome", "JobLevel"} <= set(numbers)
    assert not {"EmployeeNumber", "Attrition"} & {column.name for column in bundle.spec.columns}


def test_ratings_are_in_the_order_of_their_meaning(bundle):
    found = {column.name: column.categories for column in bundle.spec.columns}
    assert {name: found[name] for name in ORDERS} == ORDERS


def test_nothing_is_missing_and_the_first_employee_is_the_published_one():
    raw = Attrition().raw()
    assert not any(column.missing.any() for column in raw.columns)
    row = {
        column.name: column.levels[int(column.values[0])] if column.is_text else float(column.values[0]) for column in raw.columns
    }
    assert (row["Age"], row["BusinessTravel"], row["MonthlyIncome"], row["JobRole"]) == (
        41,
        "Travel_Rarely",
        5993,
        "Sales_Executive",
    )


def test_every_cell_of_a_part_is_a_cell_of_the_file(bundle):
    sheet = read_csv(SHIPPED)
    incomes = sorted(float(cell) for cell in sheet.cells("MonthlyIncome"))
    place = [column.name for column in bundle.spec.columns].index("MonthlyIncome")
    parts = torch.cat([split.inputs[:, place] for split in (bundle.train, bundle.val, bundle.test)])
    assert sorted(parts.tolist()) == incomes


def test_the_identifier_is_known_for_one_even_where_it_is_not_dropped():
    bundle = Attrition(drop=[]).load()
    assert any("an identifier" in note and "EmployeeNumber" in note for note in bundle.notes)
    assert bundle.spec.shape == (30,)


def test_protected_columns_can_be_left_out_and_a_wrong_name_is_said():
    assert Attrition(drop=["EmployeeNumber", "Gender", "Age", "MaritalStatus"]).load().spec.shape == (27,)
    with pytest.raises(UsageError, match=r"data.drop=gender: .* did you mean 'Gender'\?"):
        Attrition(drop=["gender"]).load()


def test_the_folds_of_a_cross_validation_are_encoded_apart():
    raw = Attrition().raw()
    one = bundle_of(raw, torch.arange(0, 1000), None, torch.arange(1000, 1470), name="fold")
    other = bundle_of(raw, torch.arange(470, 1470), None, torch.arange(0, 470), name="fold")
    assert one.spec.mean != other.spec.mean
    assert (len(one.test), one.val) == (470, None)


def test_it_is_said_that_the_employees_are_fictional(bundle):
    assert "fictional" in bundle.notes[0]
