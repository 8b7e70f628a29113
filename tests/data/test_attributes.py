import numpy as np
import pytest
import torch
from PIL import Image

from dlcli.data.attributes import Attributes
from dlcli.data.attrition import Attrition
from dlcli.data.digits import Digits
from dlcli.data.folder import ImageFolder
from dlcli.data.groups import Factor
from dlcli.data.table import Table
from dlcli.errors import DataError, UsageError


def texts(column):
    return [column.levels[code] if code >= 0 else None for code in column.values.tolist()]


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(10):
            pixels = random.integers(256, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")
    return tmp_path / "photos"


def test_a_column_that_the_model_does_not_read_is_found_in_the_rows_of_the_split():
    source = Attrition(drop=("EmployeeNumber", "Gender", "Age"))
    targets = source.load().test.targets
    found = Attributes.of(source, "test", index=torch.arange(len(targets)), targets=targets)
    whole = Attrition(drop=())
    raw = whole.raw()
    rows = whole.parts(raw).test
    ages = next(column for column in raw.columns if column.name == "Age").values[rows]
    assert found.column(Factor("Age")).values.equal(ages)
    assert set(texts(found.column(Factor("Gender")))) == {"Female", "Male"}


def test_what_a_model_reads_and_what_is_found_again_are_the_same_rows():
    source = Attrition()
    bundle = source.load()
    place = [column.name for column in bundle.spec.columns].index("Age")
    found = Attributes.of(source, "test", index=torch.tensor([3, 5]), targets=bundle.test.targets[[3, 5]])
    assert found.column(Factor("Age")).values.float().equal(bundle.test.inputs[[3, 5], place])


def test_rows_of_another_split_are_refused():
    targets = Attrition().load().test.targets
    with pytest.raises(DataError, match="not those of the split"):
        Attributes.of(Attrition(split_seed=1), "test", index=torch.arange(len(targets)), targets=targets)


def test_a_mistyped_column_gets_a_suggestion_and_data_without_columns_a_way():
    targets = Attrition().load().test.targets
    table = Attributes.of(Attrition(), "test", index=torch.arange(len(targets)), targets=targets)
    with pytest.raises(UsageError, match="did you mean 'Gender'"):
        table.column(Factor("gendr"))
    images = Attributes.of(Digits(), "test", index=torch.arange(3), targets=torch.zeros(3))
    with pytest.raises(UsageError, match="no columns") as error:
        images.column(Factor("Gender"))
    assert "FILE.csv:COLUMN" in str(error.value.hint)


def test_a_file_names_examples_by_their_position(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("index,pen\n2,thick\n0,thin\n")
    found = Attributes.of(Digits(), "test", index=torch.tensor([0, 1, 2]), targets=torch.zeros(3))
    assert texts(found.column(Factor("pen", str(file)))) == ["thin", None, "thick"]


def test_a_file_names_images_as_they_lie_in_their_folder(photos, tmp_path):
    source = ImageFolder(root=str(photos), size=8)
    names = source.names("test")
    assert len(names) == len(source.load().test)
    file = tmp_path / "a.csv"
    file.write_text("file,light\n" + "".join(f"{name},{name[:3]}\n" for name in reversed(names)))
    targets = source.load().test.targets
    found = Attributes.of(source, "test", index=torch.arange(len(names)), targets=targets)
    assert [("cat", "dog")[target] for target in targets.tolist()] == texts(found.column(Factor("light", str(file))))


def test_names_leave_out_what_is_no_image(photos):
    (photos / "cat" / "broken.png").write_bytes(b"no image")
    source = ImageFolder(root=str(photos), size=8, skip_unreadable=True)
    bundle = source.load()
    named = {part: source.names(part) for part in ("train", "val", "test")}
    assert [len(named[part]) for part in named] == [len(bundle.train), len(bundle.val), len(bundle.test)]
    assert not any("broken" in name for names in named.values() for name in names)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,pen\na,b\n", "no column that says which example"),
        ("index,pen\n1,a\n1,b\n", "names index 1 again"),
        ("index,pen\n77,a\n", "names none of the 3 examples"),
        ("index,pen\n", "no rows"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, content, message):
    file = tmp_path / "a.csv"
    file.write_text(content)
    found = Attributes.of(Digits(), "test", index=torch.arange(3), targets=torch.zeros(3))
    with pytest.raises(DataError, match=message):
        found.column(Factor("pen", str(file)))


def test_a_file_without_the_column_gets_a_suggestion(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("index,skin\n1,a\n")
    found = Attributes.of(Digits(), "test", index=torch.arange(3), targets=torch.zeros(3))
    with pytest.raises(UsageError, match="did you mean 'skin'"):
        found.column(Factor("skn", str(file)))


def test_a_table_that_is_used_whole_gives_all_its_rows(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("x,who,y\n" + "".join(f"{row},{'ab'[row % 2]},yes\n" for row in range(6)))
    source = Table(path=str(file), target="y")
    found = Attributes.of(source, None, index=torch.arange(4), targets=torch.zeros(4))
    assert texts(found.column(Factor("who"))) == ["a", "b", "a", "b"]
