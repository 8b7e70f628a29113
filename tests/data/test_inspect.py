from __future__ import annotations

import time

import pytest
import torch

from dlcli.contracts import Column, DataBundle, DataSpec
from dlcli.data.digits import Digits
from dlcli.data.folder import ImageFolder
from dlcli.data.inspect import Finding, inspect
from dlcli.data.memory import MemorySplit
from dlcli.data.mnist import MNIST


def bundle_of(train: MemorySplit, val=None, test=None, *, classes=("a", "b"), columns=()) -> DataBundle:
    kind = "table" if train.inputs.ndim == 2 else "image"
    shape = tuple(train.inputs.shape[1:])
    channels = (0.0,) * shape[0]
    spec = DataSpec(name="x", shape=shape, classes=classes, mean=channels, std=channels, kind=kind, epsilon={}, columns=columns)
    return DataBundle(spec, train, val, test)


def pictures(count: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def targets(count: int) -> torch.Tensor:
    return torch.arange(count) % 2


def texts(found: list[Finding], level: str | None = None) -> list[str]:
    return [finding.text for finding in found if level is None or finding.level == level]


def test_a_sound_set_gives_its_counts_and_nothing_else():
    found = inspect(bundle_of(MemorySplit(pictures(40), targets(40)), MemorySplit(pictures(6, seed=1), targets(6))))
    assert found == [Finding("note", "train: 40 examples (a 20, b 20)"), Finding("note", "val: 6 examples (a 3, b 3)")]


def test_many_classes_are_counted_in_short():
    classes = tuple(map(str, range(20)))
    found = inspect(bundle_of(MemorySplit(pictures(60), torch.arange(60) % 20), classes=classes))
    assert texts(found) == ["train: 60 examples (20 classes of 3 to 3)"]


def test_a_class_that_is_missing_is_a_problem_in_train_and_a_warning_elsewhere():
    found = inspect(bundle_of(MemorySplit(pictures(9), torch.zeros(9)), MemorySplit(pictures(9, seed=1), torch.zeros(9))))
    assert texts(found, "problem") == ["train has no example of b: it cannot be learnt"]
    assert texts(found, "warning") == ["val has no example of b: nothing can be said of it there"]
    assert found[0].level == "problem"  # the worst first


@pytest.mark.parametrize(("rare", "level"), [(40, None), (30, "note"), (9, "warning")])
def test_imbalance_is_noted_from_three_times_on_and_warned_of_from_ten(rare, level):
    labels = (torch.arange(90 + rare) >= 90).long()
    found = [finding for finding in inspect(bundle_of(MemorySplit(pictures(90 + rare), labels))) if "as frequent" in finding.text]
    assert [finding.level for finding in found] == ([level] if level else [])
    if found:
        assert "class_weights=balanced" in found[0].fix


def test_copies_within_a_part_and_their_contradicting_classes():
    images = pictures(20)
    images[7] = images[2]
    images[9] = images[4]
    found = inspect(bundle_of(MemorySplit(images, targets(20))))
    assert texts(found, "note")[1] == "train: 2 examples are copies of another (such as positions 2 and 7)"
    assert texts(found, "warning") == ["train: 2 of them have another class than the first; no model gets both of these right"]


def test_equal_rows_of_a_table_may_be_different_people_and_are_a_note():
    values = table()[:, :1]
    twice, other = torch.cat([values, values[:3]]), torch.cat([values[5:6], values[:1] + 1])
    found = inspect(bundle_of(MemorySplit(twice, targets(63)), test=MemorySplit(other, targets(2))))
    assert not texts(found, "warning")
    assert "train: 3 rows equal another (such as positions 0 and 60)" in texts(found)
    shared = (
        "1 of 2 test rows equal one in train (such as test 0 = train 5): a leak where they stand for the same person or thing"
    )
    assert shared in texts(found)


def test_a_leak_between_parts_names_a_pair_and_how_much_it_can_flatter():
    train, test = pictures(30), pictures(10, seed=1)
    test[3] = train[17]
    found = inspect(bundle_of(MemorySplit(train, targets(30)), test=MemorySplit(test, targets(10))))
    (leak,) = [finding for finding in found if finding.level == "warning"]
    assert leak.text == "leak: 1 of 10 test examples are also in train (such as test 3 = train 17)"
    assert "by up to 10 points" in leak.fix


def test_one_level_pictures_are_counted():
    images = pictures(12)
    images[3], images[5] = 0, 255
    assert "train: 2 images are of one colour only" in texts(inspect(bundle_of(MemorySplit(images, targets(12)))), "warning")


def table(rows: int = 60) -> torch.Tensor:
    """Columns: measured, constant, number of the row, half empty, a category that is another one each time."""
    measured = torch.rand(rows, generator=torch.Generator().manual_seed(0))
    half = torch.where(torch.arange(rows) < rows * 0.6, torch.nan, measured.flip(0))
    return torch.stack([measured, torch.full((rows,), 3.0), torch.arange(rows) * 2.0 + 5, half, torch.arange(rows) + 1.0], dim=1)


COLUMNS = tuple(
    Column(name=name, categories=tuple(map(str, range(60))) if name == "code" else ())
    for name in ("measured", "constant", "number", "half", "code")
)


def test_columns_that_teach_nothing_or_too_much_are_named():
    found = inspect(bundle_of(MemorySplit(table(), targets(60)), columns=COLUMNS))
    assert texts(found, "warning") == [
        "constant is the same in all of train: nothing can be learnt from it",
        "number has another value in every row, as an identifier has: a network can only learn it by heart",
        "half: 60.0 % of train have no value; the model puts the mean there",
        "code has another value in every row, as an identifier has: a network can only learn it by heart",
    ]
    assert next(finding.fix for finding in found if finding.level == "warning") == "drop constant"


def test_a_numbering_is_found_whatever_order_the_rows_stand_in():
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    shuffled = MemorySplit(table()[order], targets(60), index=torch.arange(60))
    in_place = MemorySplit(table()[order], targets(60), index=order)
    for split in (shuffled, in_place):
        assert any(text.startswith("number has another value") for text in texts(inspect(bundle_of(split, columns=COLUMNS))))


def test_distinct_prices_are_no_identifiers():
    prices = torch.randperm(1_000_000, generator=torch.Generator().manual_seed(0))[:200].float()[:, None]
    assert not texts(inspect(bundle_of(MemorySplit(prices, targets(200)))), "warning")


def test_few_missing_values_are_a_note():
    values = table()[:, :1].clone()
    values[:3] = torch.nan
    assert "column 0: 5.0 % of train have no value; the model puts the mean there" in texts(
        inspect(bundle_of(MemorySplit(values, targets(60)))), "note"
    )


def test_an_infinite_value_is_a_problem():
    values = table()[:, :1].clone()
    values[4] = torch.inf
    assert texts(inspect(bundle_of(MemorySplit(values, targets(60)))), "problem") == ["train: 1 value is infinite"]


def test_a_name_does_not_drive_the_terminal():
    columns = (Column(name="\x1b[31m"),)
    found = inspect(bundle_of(MemorySplit(torch.ones(9, 1), targets(9)), classes=("\x07", "b"), columns=columns))
    assert all(finding.text.isprintable() and (finding.fix or "x").isprintable() for finding in found)


def test_a_streamed_folder_is_looked_at_as_one_in_memory(photo_folder, tmp_path):
    root = photo_folder(tmp_path, {"train/flower": 6, "train/palace": 6})
    photo_folder(tmp_path, {"test/flower": 3, "test/palace": 3}, start=4)
    held, streamed = (inspect(ImageFolder(root=str(root), size=16, memory_limit=limit).load()) for limit in (10**9, 0))
    assert held == streamed
    assert any("test examples are also in train" in text for text in texts(held, "warning"))


def test_files_that_break_later_are_all_named_and_not_taken_for_copies(photo_folder, tmp_path):
    bundle = ImageFolder(root=str(photo_folder(tmp_path, {"flower": 9, "palace": 9})), size=16, memory_limit=0).load()
    broken = [bundle.train.loader.reader.files.name(row) for row in bundle.train.rows[[1, 4]].tolist()]
    for name in broken:
        (tmp_path / name).write_bytes(b"no image")
    found = inspect(bundle)
    (problem,) = [finding for finding in found if finding.level == "problem"]
    assert problem.text.startswith("2 files cannot be read: ")
    assert all(name in problem.text for name in broken)
    assert texts(found, "warning") == []


def test_real_sets_that_are_known_to_be_sound_give_nothing_but_counts():
    assert {finding.level for finding in inspect(Digits().load())} == {"note"}


def test_seventy_thousand_images_are_looked_at_in_a_moment():
    bundle, times = MNIST().load(), []
    for _ in range(2):
        start = time.perf_counter()
        found = inspect(bundle)
        times.append(time.perf_counter() - start)
    # 0.2 s when quiet; the bound leaves room for a busy machine.
    assert min(times) < 2
    assert [finding.level for finding in found] == ["note"] * 3
