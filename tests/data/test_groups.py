import pytest
import torch

from dlcli.data.columns import RawColumn
from dlcli.data.groups import MISSING, Factor, membership, parse_groups, plain
from dlcli.errors import UsageError

GENDER = RawColumn("Gender", torch.tensor([0, 1, 1, 0, -1, 1]), ("Female", "Male"))
AGE = RawColumn("Age", torch.tensor([17.0, 18, 29, 30, 50, 61], dtype=torch.float64))
COLUMNS = {"Gender": GENDER, "Age": AGE}


def groups(text, columns=COLUMNS):
    (grouping,) = parse_groups(text, columns)
    found = membership(grouping, lambda factor: columns[factor.column])
    return [found.names[number] for number in found.groups.tolist()]


def test_what_is_asked_for_is_read():
    first, second, third, fourth = parse_groups("Gender, Age:18-30,Gender*Age:40, a/b.csv:skin:1.5-2")
    assert first.factors == (Factor("Gender"),)
    assert second.factors == (Factor("Age", edges=(18, 30)),)
    assert (third.name, third.factors) == ("Gender*Age", (Factor("Gender"), Factor("Age", edges=(40,))))
    assert fourth.factors == (Factor("skin", "a/b.csv", (1.5, 2)),)


def test_edges_may_be_below_zero():
    assert parse_groups("t:-10-0-2.5")[0].factors[0].edges == (-10, 0, 2.5)


def test_a_column_with_signs_in_its_name_is_found():
    assert parse_groups("a*b:c", ["a*b:c"])[0].factors == (Factor("a*b:c"),)


def test_categories_group_by_value_and_what_is_missing_is_a_group():
    assert groups("Gender") == ["Female", "Male", "Male", "Female", MISSING, "Male"]


def test_ranges_begin_at_their_edge_and_what_is_below_the_first_is_a_group():
    assert groups("Age:18-30-40-50") == ["below 18", "18–29", "18–29", "30–39", "50+", "50+"]
    assert groups("Age:17.5-30") == ["below 17.5", "17.5 to <30", "17.5 to <30", "30+", "30+", "30+"]
    assert groups("Age:17-18-19") == ["17", "18", "19+", "19+", "19+", "19+"]


def test_a_missing_number_is_in_a_group_of_its_own():
    column = {"x": RawColumn("x", torch.tensor([1.0, torch.nan, 3], dtype=torch.float64))}
    assert groups("x:2", column) == ["below 2", MISSING, "2+"]
    assert groups("x", column) == ["1", MISSING, "3"]


def test_two_columns_make_a_group_per_pair_that_occurs():
    found = groups("Gender*Age:30")
    assert found[:4] == ["Female, below 30", "Male, below 30", "Male, below 30", "Female, 30+"]
    assert len(set(found)) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty part"),
        ("Gender,", "empty part"),
        ("Gender*", "empty part"),
        ("Age:", "no edges behind"),
        (":3", "empty part"),
        ("Age:a-b", "'a-b' are no edges"),
        ("Age:30-18", "18 comes after 30"),
        ("Age:18-18", "edges must rise"),
        ("Gender,Gender", "twice"),
        ("Age:1,Age:2", "twice"),
        ("Gender*Gender", "twice"),
    ],
)
def test_what_cannot_be_read_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        parse_groups(text)


def test_edges_of_categories_and_many_numbers_without_edges_are_refused_with_what_to_type():
    with pytest.raises(UsageError, match="categories"):
        groups("Gender:3")
    many = {"pay": RawColumn("pay", torch.arange(100, dtype=torch.float64))}
    with pytest.raises(UsageError, match="100 different numbers") as error:
        groups("pay", many)
    assert str(error.value.hint).startswith("--groups pay:")
    assert len(set(groups(str(error.value.hint).removeprefix("--groups "), many))) == 4


def test_one_group_and_too_many_groups_are_refused():
    with pytest.raises(UsageError, match="all 6 examples are below 90"):
        groups("Age:90")
    with pytest.raises(UsageError, match="21 groups among 21"):
        groups("x", {"x": RawColumn("x", torch.arange(21), tuple(f"v{number}" for number in range(21)))})


def test_numbers_that_differ_have_names_that_differ():
    assert [plain(value) for value in (1000001.0, 1000002.0, 0.1, 18.0)] == ["1000001", "1000002", "0.1", "18"]
