import pytest
import torch

from dlcli.data.csv import Sheet
from dlcli.data.diabetes import NAMES, Diabetes, table_of
from dlcli.data.table import bundle_of
from dlcli.errors import StorageError


@pytest.fixture(scope="module")
def raw():
    try:
        return Diabetes().raw()
    except StorageError as error:
        pytest.skip(f"needs fetched data: {error.message}")


def test_there_are_768_women_268_of_whom_are_positive(raw):
    assert raw.classes == ("tested_negative", "tested_positive")
    assert raw.targets.bincount().tolist() == [500, 268]


def test_zeros_that_nobody_lives_with_are_missing(raw):
    missing = {column.name: int(column.missing.sum()) for column in raw.columns}
    assert missing == {
        "pregnancies": 0,
        "glucose": 5,
        "blood_pressure": 35,
        "skin_thickness": 227,
        "insulin": 374,
        "body_mass_index": 11,
        "pedigree": 0,
        "age": 0,
    }


def test_the_columns_have_the_means_of_the_files_own_description(raw):
    means = [round(float(column.values.nan_to_num(0).mean()), 1) for column in raw.columns]
    assert means == [3.8, 120.9, 69.1, 20.5, 79.8, 32.0, 0.5, 33.2]


def test_the_notes_count_what_is_missing(raw):
    notes = "\n".join(bundle_of(raw, torch.arange(768), None, None, name="diabetes").notes)
    assert "a zero is read as missing in glucose" in notes
    assert "missing of 768: insulin 374" in notes


def test_a_zero_that_is_a_value_stays_one():
    rows = [["0", "0", "0", "0.0", "0", "0", "0", "0", f"tested_{name}"] for name in ("negative", "positive")]
    columns = {column.name: column for column in table_of(Sheet("t", tuple(NAMES), rows, range(1, 3))).columns}
    assert not columns["pregnancies"].missing.any()
    assert columns["skin_thickness"].missing.all()


def test_without_the_file_ways_to_have_it_are_said(tmp_path):
    with pytest.raises(StorageError, match="diabetes is not here") as caught:
        Diabetes(root=str(tmp_path)).load()
    assert "dl fetch diabetes" in caught.value.hint


def test_shares_out_of_range_are_refused():
    with pytest.raises(ValueError, match="val_share must be in"):
        Diabetes(val_share=-0.1)
