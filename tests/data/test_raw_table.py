import pytest
import torch

from dlcli.data.csv import parse
from dlcli.data.raw_table import RawTable, TableSource, numeric_table, raw_table
from dlcli.data.table import Table
from dlcli.errors import DataError, UsageError


def read(text, target="y", **options) -> RawTable:
    return raw_table(parse(text, source="t.csv"), target, **options)


def with_targets(*targets, **options):
    return read("x,y\n" + "".join(f"{place % 7},{target}\n" for place, target in enumerate(targets)), **options)


def test_the_target_becomes_class_numbers_and_the_rest_columns():
    table = read("a,y,b\n1,u,p\n2,v,q\n3,u,p\n", positive="v")
    assert [column.name for column in table.columns] == ["a", "b"]
    assert table.classes == ("u", "v")
    assert table.targets.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("targets", "positive", "how"),
    [
        (["No", "Yes", "Yes"], "Yes", "by its name"),
        (["0", "1", "1"], "1", "by its name"),
        (["true", "false", "true"], "true", "by its name"),
        (["cat", "dog", "cat"], "dog", "the rarer one"),
        (["dog", "cat", "dog"], "cat", "the rarer one"),
    ],
)
def test_of_two_classes_the_positive_one_is_class_1_and_the_notes_say_why(targets, positive, how):
    table = with_targets(*targets)
    assert table.classes[1] == positive
    assert f"class 1 (positive) is {positive}, {how}" in table.notes[0]


def test_the_user_chooses_the_positive_class():
    assert with_targets("No", "Yes", "Yes", positive="No").classes == ("Yes", "No")


def test_more_classes_stand_by_size_or_alphabet():
    assert with_targets("10", "9", "2", "10", "9", "2").classes == ("2", "9", "10")
    assert with_targets("b", "c", "a", "b", "c", "a").classes == ("a", "b", "c")


BAD_TARGETS = [
    (["u"] * 5, "all 5 rows have y=u; expected at least two classes"),
    (["u", "", "v", "NaN"], "'y', the target, is missing in 2 of 4 rows, first line 3"),
    ([str(number / 7) for number in range(60)], r"60 different numbers in 60 rows: that is a number to predict \(regression\)"),
    ([str(number) for number in range(60)], r"that is a number to predict \(regression\)"),
    ([f"word{number}" for number in range(60)], "60 different values in 60 rows .* expected classes that repeat"),
]


@pytest.mark.parametrize(("targets", "message"), BAD_TARGETS, ids=[message for _, message in BAD_TARGETS])
def test_targets_that_are_no_classes_are_refused_in_one_line(targets, message):
    with pytest.raises(DataError, match=message) as caught:
        with_targets(*targets)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "Y"}, r"data.target=Y: t.csv has no such column; did you mean 'y'\?"),
        ({"target": "zzz"}, r"data.target=zzz: t.csv has no such column; it has x, y"),
        ({"target": "yy"}, r"data.target=yy: t.csv has no such column; did you mean 'y'\?"),
        ({"drop": ["z"]}, r"data.drop=z: t.csv has no such column"),
        ({"numbers": ["x"], "drop": ["x"]}, r"data.drop names 'x', and so does data.numbers"),
        ({"categories": ["y"]}, r"data.categories names 'y', and so does data.target"),
        ({"positive": "yess"}, r"data.positive=yess: 'y' has no such class; did you mean 'yes'\?"),
    ],
)
def test_names_that_are_not_in_the_file_are_mistakes_of_the_user(options, message):
    with pytest.raises(UsageError, match=message):
        with_targets("yes", "no", "yes", **options)


def test_a_file_without_a_header_is_known_by_its_numbers():
    with pytest.raises(UsageError, match="has no such column") as caught:
        read("5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,3.3,virginica\n", target="species")
    assert caught.value.hint == "its first line looks like a row: put the column names above it"


def test_a_positive_class_among_three_is_refused():
    with pytest.raises(UsageError, match="has 3 classes, a positive one is for two"):
        with_targets("a", "b", "c", "a", "b", "c", positive="a")


def test_a_table_with_its_target_alone_is_refused():
    with pytest.raises(DataError, match="no column beside the target"):
        read("x,y\n1,a\n2,b\n", drop=["x"])


def test_imbalance_and_classes_with_one_row_are_said():
    assert any("90 % of the rows are No" in note for note in with_targets(*["No"] * 9, "Yes").notes)
    assert any("classes with one row" in note for note in with_targets(*["a"] * 3, *["b"] * 3, "c").notes)


def test_categories_that_differ_in_case_alone_are_said():
    table = read("a,y\nRed,u\nred,v\nblue,u\n")
    assert any("a: 'Red' and 'red' count as two" in note for note in table.notes)


def test_numbers_make_a_table_whose_columns_stay_whatever_they_look_like():
    table = numeric_table(torch.tensor([[1.0, 0], [2, 0]]), ["a", "b"], torch.tensor([0, 1]), ["u", "v"])
    assert all(column.forced and not column.is_text for column in table.columns)
    assert len(table) == 2


def test_a_table_source_is_known_by_its_rows():
    assert isinstance(Table(), TableSource)
