import pytest

from dlcli.data.adult import HEADER, Adult, sheet_of
from dlcli.errors import StorageError

TRAIN = """39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, Cuba, <=50K
52, ?, 209642, HS-grad, 9, Married-civ-spouse, ?, Husband, White, Male, 0, 0, 45, ?, >50K

"""
TEST = """|1x3 Cross validator
25, Private, 226802, 11th, 7, Never-married, Sales, Own-child, Black, Male, 0, 0, 40, United-States, <=50K.
"""


@pytest.fixture(scope="module")
def bundle():
    try:
        return Adult().load()
    except StorageError as error:
        pytest.skip(f"needs fetched data: {error.message}")


def test_both_files_make_one_sheet_without_the_comment_and_the_full_stops():
    sheet = sheet_of([TRAIN, TEST], source="adult")
    assert sheet.header == HEADER
    assert sheet.cells("income") == ["<=50K", ">50K", "<=50K"]
    assert sheet.cells("age") == ["39", "52", "25"]
    assert list(sheet.lines) == [1, 2, 2]


def test_the_parts_are_those_published(bundle):
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (27_561, 5_000, 16_281)
    assert bundle.test.targets.bincount().tolist() == [12_435, 3_846]
    assert (bundle.train.targets.bincount() + bundle.val.targets.bincount()).tolist() == [24_720, 7_841]
    assert bundle.spec.classes == ("<=50K", ">50K")


def test_the_surveys_weight_is_left_out_and_what_is_missing_is_counted(bundle):
    assert "fnlwgt" not in [column.name for column in bundle.spec.columns]
    assert any("missing of 48842: occupation 2809, workclass 2799, native-country 857" in note for note in bundle.notes)


def test_without_the_files_ways_to_have_them_are_said(tmp_path):
    with pytest.raises(StorageError, match="adult is not here") as caught:
        Adult(root=str(tmp_path)).load()
    assert "dl fetch adult" in caught.value.hint


def test_a_val_size_out_of_range_is_refused():
    with pytest.raises(ValueError, match="val_size must be in"):
        Adult(val_size=32_561)
