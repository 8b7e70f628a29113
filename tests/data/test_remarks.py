from __future__ import annotations

from pathlib import Path

import torch

from dlcli.data import remarks
from dlcli.data.layout import Files, Found
from dlcli.data.memory import MemorySplit
from dlcli.errors import DataError


def split(*counts: int) -> MemorySplit:
    """So many examples of class 0, 1, …"""
    targets = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return MemorySplit(torch.zeros(len(targets), 1), targets)


def found(names: list[str], targets: list[int], parts: dict[str, list[int]], **more) -> Found:
    files = Files(Path("root"), names, targets, [1] * len(names))
    return Found(files, ("a", "b"), {part: torch.tensor(rows) for part, rows in parts.items()}, **more)


def test_parts_of_the_folders_own_need_no_remark():
    given = found(["1", "2", "3"], [0, 1, 0], {"train": [0], "val": [1], "test": [2]})
    assert list(remarks.of_layout(given, {"train": split(1)})) == []


def test_what_lies_beside_the_classes_is_named():
    given = found(["1"], [0], {"train": [0], "val": [], "test": []}, left_out=("notes.txt", "extra"))
    assert list(remarks.of_layout(given, {})) == ["beside the class folders, and not read: notes.txt, extra"]


def test_copies_in_one_part_in_two_parts_and_in_two_classes_are_told_apart():
    given = found(["1", "2", "3", "4", "5", "6"], [0, 0, 0, 1, 0, 1], {})
    parts = {"train": torch.tensor([0, 1, 3, 4, 5]), "test": torch.tensor([2])}
    said = list(remarks.of_copies(given, parts, torch.tensor([0, 0, 0, 0, 4, 5])))
    assert said == [
        "leak: 1 file is in two parts, such as 1 = 3: test figures will flatter; keep one of each",
        "contradiction: 1 times the same image has two classes, such as 1 = 4; keep the right one",
        "1 file is a copy of others in the same part, such as 1 = 2",
    ]
    assert list(remarks.of_copies(given, parts, torch.arange(6))) == []


def test_where_nobody_looked_for_copies_that_is_said():
    (said,) = remarks.of_copies(found(["1", "2"], [0, 1], {}), {}, None)
    assert "2 files are too many to look for copies at every start" in said


def test_sizes_and_modes_are_counted():
    seen = [(640, 480, "RGB"), (100, 50, "L"), (640, 480, "RGB")]
    assert list(remarks.of_sizes(seen, size=32, total=3)) == [
        "images of 100 x 50 to 640 x 480 pixels (RGB 2, L 1), seen as 32 x 32"
    ]
    assert next(iter(remarks.of_sizes(seen, size=32, total=9))).startswith("a sample of 3 images of 100 x 50")
    assert list(remarks.of_sizes([], size=32, total=0)) == []


def test_images_that_are_enlarged_are_said_where_they_are_most():
    assert len(list(remarks.of_sizes([(20, 30, "L")] * 2 + [(99, 99, "L")], size=32, total=3))) == 2
    assert len(list(remarks.of_sizes([(20, 30, "L")] + [(99, 99, "L")] * 2, size=32, total=3))) == 1


def test_classes_are_compared_in_train_and_missed_in_val_and_test():
    splits = {"train": split(90, 30), "val": split(5, 5), "test": split(4)}
    assert list(remarks.of_classes(("a", "b"), splits)) == [
        "classes differ in size in train (a 90, b 30); loss.class_weights=balanced gives them equal weight",
        "test has no image of b: nothing can be said of them there",
    ]
    assert list(remarks.of_classes(("a", "b"), {"train": split(89, 30), "val": split(1, 1), "test": split(1, 1)})) == []


def test_few_images_are_pointed_to_finetuning():
    assert list(remarks.of_few(500, Path("x"))) == []
    (said,) = remarks.of_few(499, Path("x"))
    assert "dl finetune --data x" in said


def test_what_was_left_out_is_named_up_to_five(tmp_path):
    errors = [DataError(f"{tmp_path}/a/{number}.jpg is empty") for number in range(7)]
    (said,) = remarks.of_unreadable(errors, tmp_path)
    assert said.startswith("left out 7 files: a/0.jpg is empty; a/1.jpg")
    assert said.endswith("a/4.jpg is empty; and 2 more")
    assert list(remarks.of_unreadable([], tmp_path)) == []


def test_no_name_drives_the_terminal():
    given = found(["\x1b[31m", "\x1b[32m"], [0, 0], {})
    (said,) = remarks.of_copies(given, {"train": torch.tensor([0, 1])}, torch.tensor([0, 0]))
    assert said.isprintable()
