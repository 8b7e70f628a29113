import pytest
import torch

from dlcli.data.csv import parse
from dlcli.data.raw_table import raw_table
from dlcli.data.table import Table, bundle_of, check_shares, split_rows
from dlcli.errors import DataError, UsageError


@pytest.fixture
def path(tmp_path):
    rows = [f"{row % 13},{'uvw'[row % 3]},{'Yes' if row % 4 == 0 else 'No'}" for row in range(200)]
    file = tmp_path / "people.csv"
    file.write_text("\n".join(["age,group,left", *rows]))
    return file


def loaded(path, **options):
    return Table(path=str(path), target="left", **options).load()


def test_a_file_becomes_three_stratified_parts(path):
    bundle = loaded(path)
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (140, 30, 30)
    assert bundle.spec.name == "people"
    assert bundle.spec.classes == ("No", "Yes")
    for split in (bundle.train, bundle.val, bundle.test):
        assert abs(float(split.targets.float().mean()) - 0.25) < 0.02


def test_the_parts_are_the_rows_of_the_file_each_once(path):
    bundle = loaded(path)
    counts = torch.zeros(14, dtype=torch.long)
    for split in (bundle.train, bundle.val, bundle.test):
        counts += split.inputs[:, 0].long().bincount(minlength=14)
    assert counts.tolist() == [*torch.tensor([row % 13 for row in range(200)]).bincount(minlength=14).tolist()]


def test_what_is_measured_is_measured_on_train_alone(path):
    bundle = loaded(path)
    ages = bundle.train.inputs[:, 0].double()
    assert bundle.spec.mean[0] == pytest.approx(float(ages.mean()))
    assert bundle.spec.std[0] == pytest.approx(float(ages.std(correction=0)))


def test_a_share_of_zero_is_no_part(path):
    bundle = loaded(path, val_share=0.0, test_share=0.0)
    assert (bundle.val, bundle.test, len(bundle.train)) == (None, None, 200)


def test_the_split_seed_chooses_the_rows(path):
    assert torch.equal(loaded(path).test.inputs, loaded(path).test.inputs)
    assert not torch.equal(loaded(path).test.inputs, loaded(path, split_seed=1).test.inputs)


def test_notes_say_types_repeated_rows_and_the_positive_class(path):
    notes = "\n".join(loaded(path).notes)
    assert "class 1 (positive) is Yes, by its name" in notes
    assert "2 columns: 1 numbers (age), 1 categories (group (3))" in notes
    assert "rows that are in train too" in notes


@pytest.mark.parametrize(
    ("options", "message"), [({}, "data.path has no value"), ({"path": "x.csv"}, "data.target has no value")]
)
def test_a_table_without_file_or_target_says_what_to_type(options, message):
    with pytest.raises(UsageError, match=message) as caught:
        Table(**options).load()
    assert caught.value.hint == "dl train --data FILE.csv --target COLUMN"


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((1.0, 0.0), "val_share must be in"),
        ((0.1, -0.1), "test_share must be in"),
        ((0.5, 0.5), "must leave something for train"),
    ],
)
def test_shares_out_of_range_are_refused(shares, message):
    with pytest.raises(ValueError, match=message):
        check_shares(*shares)


def test_too_few_rows_cannot_be_split():
    with pytest.raises(DataError, match="the table has 9 rows; expected at least 10"):
        split_rows(torch.arange(9) % 2, 0.15, 0.15, seed=0)
    assert split_rows(torch.arange(9) % 2, 0.0, 0.0, seed=0).val is None


RAW = raw_table(
    parse(
        "n,k,y\n" + "".join(f"{row % 5},{'uvw'[row % 3] if row < 9 else 'z'},{'ab'[row % 2]}\n" for row in range(12)), source="t"
    ),
    "y",
)


def test_any_rows_make_a_bundle_as_folds_need_it():
    bundle = bundle_of(RAW, torch.arange(8), torch.tensor([8, 9, 10, 11]), None, name="fold")
    assert (len(bundle.train), len(bundle.val), bundle.test) == (8, 4, None)
    assert bundle.spec.columns[1].categories == ("u", "v", "w")
    assert bundle.val.inputs[:, 1].tolist() == [3, 0, 0, 0]
    assert any(note == "categories that train lacks, read as unknown: k 3 (val)" for note in bundle.notes)


def test_no_rows_are_no_part():
    assert bundle_of(RAW, torch.arange(12), torch.arange(0), torch.arange(0), name="all").val is None


def test_another_row_of_val_leaves_the_spec_as_it_is():
    def spec(val):
        return bundle_of(RAW, torch.arange(8), torch.tensor(val), None, name="fold").spec

    assert spec([8]) == spec([9, 10, 11])


def test_rows_that_are_in_train_too_are_counted_and_not_moved():
    raw = raw_table(parse("n,y\n" + "1,a\n2,b\n" * 8, source="t"), "y")
    bundle = bundle_of(raw, torch.arange(10), torch.arange(10, 14), torch.arange(14, 16), name="t")
    assert any("rows that are in train too, all cells alike: 4 of val, 2 of test" in note for note in bundle.notes)
    assert (len(bundle.val), len(bundle.test)) == (4, 2)
