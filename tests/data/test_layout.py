from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import pytest

from dlcli.data.layout import Files, listing, scan
from dlcli.errors import DataError, StorageError


def tree(root: Path, *names: str) -> Path:
    """Files of one byte; a name that ends in / is a folder."""
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    return root


def names_of(found, part: str) -> list[str]:
    return [found.files.name(row) for row in found.parts[part].tolist()]


def test_classes_are_the_folders_by_name_and_their_files_by_name(tmp_path):
    found = scan(tree(tmp_path, "dog/2.jpg", "dog/10.jpg", "cat/b.png", "cat/a.png"))
    assert found.classes == ("cat", "dog")
    assert names_of(found, "train") == ["cat/a.png", "cat/b.png", "dog/10.jpg", "dog/2.jpg"]
    assert found.files.targets.tolist() == [0, 0, 1, 1]
    assert list(found.parts) == ["train"]


def test_parts_are_known_by_the_names_that_people_give_them(tmp_path):
    found = scan(tree(tmp_path, *(f"{part}/{label}/1.jpg" for part in ("Train", "valid", "TEST") for label in "ab")))
    assert names_of(found, "train") == ["Train/a/1.jpg", "Train/b/1.jpg"]
    assert names_of(found, "val") == ["valid/a/1.jpg", "valid/b/1.jpg"]
    assert names_of(found, "test") == ["TEST/a/1.jpg", "TEST/b/1.jpg"]
    assert found.files.targets.tolist() == [0, 1, 0, 1, 0, 1]


def test_a_class_may_be_called_train(tmp_path):
    found = scan(tree(tmp_path, "bus/1.jpg", "car/1.jpg", "train/1.jpg", "train/2.jpg"))
    assert found.classes == ("bus", "car", "train")


def test_hidden_files_and_those_of_file_managers_are_no_images(tmp_path):
    found = scan(
        tree(tmp_path, ".git/x", "__MACOSX/a/1.jpg", "a/.hidden.jpg", "a/Thumbs.db", "a/1.jpg", "b/desktop.ini", "b/2.jpg")
    )
    assert names_of(found, "train") == ["a/1.jpg", "b/2.jpg"]
    assert found.left_out == ()


def test_what_lies_beside_the_classes_is_named(tmp_path):
    assert scan(tree(tmp_path / "1", "a/1.jpg", "b/1.jpg", "labels.csv")).left_out == ("labels.csv",)
    beside = scan(tree(tmp_path / "2", "train/a/1.jpg", "train/b/1.jpg", "train/list.txt", "annotations/a.xml"))
    assert beside.left_out == ("annotations", "train/list.txt")


def test_the_same_letters_in_another_encoding_are_the_same_class(tmp_path):
    found = scan(tree(tmp_path, "train/caf\u00e9/1.jpg", "train/b/1.jpg", "test/cafe\u0301/1.jpg", "test/b/1.jpg"))
    assert found.classes == ("b", "caf\u00e9")


def test_class_names_are_fit_for_a_terminal_and_for_json(tmp_path):
    try:
        tree(tmp_path, "\x1b[31m/1.jpg", os.fsdecode(b"\xff/1.jpg"))
    except OSError:
        pytest.skip("this file system has no such names")
    assert set(scan(tmp_path).classes) == {r"\x1b[31m", r"\udcff"}


def test_a_link_that_leads_nowhere_is_counted_so_that_reading_it_is_an_error(tmp_path):
    tree(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "b" / "2.jpg").symlink_to(tmp_path / "gone.jpg")
    assert scan(tmp_path).files.sizes.tolist() == [1, 1, -1]


def test_what_is_neither_file_nor_folder_is_never_opened(tmp_path):
    tree(tmp_path, "a/1.jpg", "b/1.jpg")
    os.mkfifo(tmp_path / "b" / "2.jpg")
    (tmp_path / "b" / "3.jpg").symlink_to("2.jpg")
    assert len(scan(tmp_path).files) == 2


@pytest.mark.parametrize(
    ("names", "message", "hint"),
    [
        ([], "is empty; expected one folder of images per class", "put the images of each class"),
        (["1.jpg", "2.jpg"], "holds 2 files and no folders", "put the images of each class"),
        (["cat/1.jpg"], "has one class folder, cat; a classifier needs two", None),
        (["cat/1.jpg", "dog/"], "has class folders without an image: dog$", "add images, or remove"),
        (["cat/1.jpg", "dog/2021/1.jpg"], r"dog holds folders \(2021\); expected", "move the images up into dog"),
        (["cat/1.jpg", "cat/more/2.jpg", "dog/1.jpg"], r"cat holds folders \(more\)", "move the images up into cat"),
        (["photos/cat/1.jpg", "photos/dog/1.jpg"], r"photos holds folders \(cat, dog\)", "--data .*photos$"),
        (
            ["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/c/1.jpg"],
            "differ between train and test: only in train: b; only in test: c$",
            "the same class folders in train and test",
        ),
        (["train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg"], "between train and val: only in train: b$", "the same class folders"),
        (["train/a/1.jpg", "train/b/1.jpg", "test/1.jpg"], "test holds images without class folders", "move .*test elsewhere"),
        (["train/a/1.jpg", "train/b/1.jpg", "test/"], "test is empty; expected", "put the images"),
        (["val/a/1.jpg", "test/a/1.jpg"], "has test, val and no train folder", "add train/CLASS"),
        (["train/a/1.jpg", "val/a/1.jpg", "valid/a/1.jpg"], "has val, valid, which both mean val", "keep one of them"),
    ],
)
def test_a_wrong_layout_is_one_line_with_what_to_do(tmp_path, names, message, hint):
    with pytest.raises(DataError, match=message) as caught:
        scan(tree(tmp_path, *names))
    assert "\n" not in caught.value.message
    assert hint is None or re.search(hint, caught.value.hint)


def test_a_missing_folder_or_a_file_in_its_place_is_a_matter_of_storage(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read the folder .*gone: No such file"):
        scan(tmp_path / "gone")
    with pytest.raises(StorageError, match=r"cannot read the folder .*file: Not a directory"):
        scan(tree(tmp_path, "file") / "file")


def test_a_list_of_files_gives_back_every_name_also_in_another_process(tmp_path):
    names = ["a/1.jpg", "ü/猫.png", os.fsdecode(b"b/\xff.jpg"), ""]
    files = Files(tmp_path, names, [0, 1, 1, 0], [1, 2, 3, 4])
    copied = pickle.loads(pickle.dumps(files))
    assert [copied.name(row) for row in range(4)] == names
    assert copied.path(0) == str(tmp_path / "a" / "1.jpg")
    assert len(Files(tmp_path, [], [], [])) == 0


def test_a_long_list_shows_five_and_counts_the_rest():
    assert listing("abc") == "a, b, c"
    assert listing("abcdefg") == "a, b, c, d, e and 2 more"
