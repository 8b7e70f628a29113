from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlcli.data.folder import ImageFolder
from dlcli.data.memory import MemorySplit
from dlcli.data.stream import StreamSplit
from dlcli.errors import DataError, StorageError, UsageError

PARTS = ("train", "val", "test")
COUNTS = {"flower": 20, "palace": 40}


@pytest.fixture(scope="module")
def root(photo_folder, tmp_path_factory) -> Path:
    return photo_folder(tmp_path_factory.mktemp("own") / "my photos", COUNTS)


def loaded(root: Path, **options):
    return ImageFolder(root=str(root), size=16, **options).load()


def inputs(split) -> torch.Tensor:
    return torch.cat([batch.inputs for batch in split.batches(torch.arange(len(split)), 16)])


def rows(split) -> set[bytes]:
    return {row.numpy().tobytes() for row in inputs(split)}


def lengths(bundle) -> list[int]:
    return [len(getattr(bundle, part)) for part in PARTS]


def test_without_parts_70_15_and_15_per_cent_of_each_class_are_train_val_and_test(root):
    bundle = loaded(root)
    assert lengths(bundle) == [42, 9, 9]
    assert [getattr(bundle, part).targets.bincount().tolist() for part in PARTS] == [[14, 28], [3, 6], [3, 6]]
    assert len(rows(bundle.train) | rows(bundle.val) | rows(bundle.test)) == 60
    assert any("train 42, val 9, test 9 were chosen by data.split_seed" in note for note in bundle.notes)


def test_the_choice_depends_on_the_split_seed_alone(root):
    assert torch.equal(inputs(loaded(root).test), inputs(loaded(root, memory_limit=0).test))
    assert rows(loaded(root).test) != rows(loaded(root, split_seed=1).test)


def test_the_spec_says_what_the_folder_holds(root):
    spec = loaded(root).spec
    assert (spec.name, spec.shape, spec.classes, spec.kind) == ("my-photos", (3, 16, 16), ("flower", "palace"), "image")
    assert spec.epsilon == {"linf": 8 / 255, "l2": 0.25}
    assert ImageFolder(root=str(root), size=32).load().spec.epsilon["l2"] == 0.5
    assert ImageFolder(root=str(root), size=224).load().spec.epsilon["linf"] == 4 / 255


def test_mean_and_std_are_those_of_the_train_images_alone(root):
    bundle = loaded(root)
    train = inputs(bundle.train).double()
    assert bundle.spec.mean == pytest.approx(train.mean((0, 2, 3)).tolist(), abs=1e-6)
    assert bundle.spec.std == pytest.approx(train.std((0, 2, 3), correction=0).tolist(), abs=1e-6)


def test_images_of_one_level_have_a_deviation_to_divide_by(tmp_path):
    for number in range(8):
        folder = tmp_path / f"class{number % 2}"
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (20 + number, 20), (51, 51, 51)).save(folder / f"{number}.png")
    spec = loaded(tmp_path).spec
    assert spec.mean == pytest.approx([0.2] * 3)
    assert spec.std == pytest.approx([1 / 255] * 3)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 1])
def test_what_does_not_fit_into_memory_is_read_from_disk_and_is_the_same(root, workers):
    held, streamed = loaded(root, eval_crop=0.8), loaded(root, eval_crop=0.8, memory_limit=60 * 3 * 256 - 1, workers=workers)
    assert isinstance(held.train, MemorySplit)
    assert isinstance(streamed.train, StreamSplit)
    for part in PARTS:
        assert torch.equal(inputs(getattr(held, part)), inputs(getattr(streamed, part)))
        assert torch.equal(getattr(held, part).targets, getattr(streamed, part).targets)
    assert streamed.spec == held.spec
    assert streamed.train.loader is streamed.test.loader
    said = [note for note in streamed.notes if "are read from disk" in note]
    assert len(said) == 1
    assert ("--workers 4" in said[0]) is (workers == 0)
    assert isinstance(loaded(root, memory_limit=60 * 3 * 256).train, MemorySplit)


def test_val_and_test_show_the_middle_and_train_the_whole(root):
    whole, cropped = loaded(root), loaded(root, eval_crop=0.5)
    assert torch.equal(inputs(whole.train), inputs(cropped.train))
    assert not torch.equal(inputs(whole.val), inputs(cropped.val))
    assert not torch.equal(inputs(whole.test), inputs(cropped.test))


def test_grey_is_one_channel(root):
    bundle = loaded(root, channels=1)
    assert bundle.spec.shape == (1, 16, 16)
    assert inputs(bundle.train).shape[1] == 1
    assert len(bundle.spec.mean) == 1


def in_parts(photo_folder, root: Path, **counts: int) -> Path:
    for number, (part, count) in enumerate(counts.items()):
        photo_folder(root, {f"{part}/flower": count, f"{part}/palace": count}, start=100 * number)
    return root


def test_the_folders_own_parts_are_kept(photo_folder, tmp_path):
    bundle = loaded(in_parts(photo_folder, tmp_path, train=8, valid=3, test=2))
    assert lengths(bundle) == [16, 6, 4]
    assert not any("held back" in note or "chosen" in note for note in bundle.notes)


def test_a_given_val_without_test_is_the_test_part_for_what_selects_must_not_test(photo_folder, tmp_path):
    bundle = loaded(in_parts(photo_folder, tmp_path, train=20, val=3), val_share=0.2)
    assert lengths(bundle) == [32, 8, 6]
    given = {np.asarray(Image.open(path)).tobytes() for path in (tmp_path / "val").rglob("*.jpg")}
    assert len(given) == 6
    assert any("the folder's val is the test part" in note for note in bundle.notes)


def test_a_given_test_without_val_has_val_held_back_from_train(photo_folder, tmp_path):
    bundle = loaded(in_parts(photo_folder, tmp_path, train=20, test=3))
    assert lengths(bundle) == [34, 6, 6]
    assert any("the folder has no val" in note for note in bundle.notes)


def test_copies_of_a_file_are_never_in_two_parts_that_dlcli_chooses(photo_folder, tmp_path):
    photo_folder(tmp_path, {"flower": 15, "palace": 15})
    for path in list(tmp_path.rglob("*.jpg")):
        shutil.copy(path, path.with_stem(f"{path.stem}_copy"))
    for seed in range(5):
        bundle = loaded(tmp_path, split_seed=seed)
        parts = [rows(getattr(bundle, part)) for part in PARTS]
        assert [len(part) for part in parts] == [22, 4, 4]  # 15 % of 30 different images are 4.5
        assert lengths(bundle) == [44, 8, 8]
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert any("30 files are copies of others in the same part" in note for note in bundle.notes)


def test_a_leak_in_the_folders_own_parts_is_said(photo_folder, tmp_path):
    root = in_parts(photo_folder, tmp_path, train=8, test=4)
    shutil.copy(root / "train/palace/000.jpg", root / "test/palace/again.jpg")
    (leak,) = [note for note in loaded(root).notes if note.startswith("leak")]
    assert "1 file is in two parts" in leak
    assert "train/palace/000.jpg = test/palace/again.jpg" in leak


def test_the_same_image_under_two_classes_is_said(photo_folder, tmp_path):
    photo_folder(tmp_path, {"flower": 10, "palace": 10})
    shutil.copy(tmp_path / "flower/003.jpg", tmp_path / "palace/flower.jpg")
    assert any("1 times the same image has two classes" in note for note in loaded(tmp_path).notes)


@pytest.fixture
def broken(photo_folder, tmp_path) -> Path:
    """Six files of eleven are no images."""
    photo_folder(tmp_path, {"flower": 10, "palace": 10})
    for number in range(6):
        (tmp_path / "flower" / f"bad{number}.jpg").write_bytes(b"" if number == 0 else b"no image %d" % number)
    return tmp_path


def test_files_that_are_no_images_are_refused_by_name_with_the_way_out(broken):
    with pytest.raises(DataError, match=r"6 of 26 files cannot be used: flower/bad0\.jpg is empty") as caught:
        loaded(broken)
    assert "flower/bad4.jpg is no image that can be read" in caught.value.message
    assert "bad5" not in caught.value.message
    assert caught.value.message.endswith("; and 1 more")
    assert "\n" not in caught.value.message
    assert "data.skip_unreadable=true" in caught.value.hint


@pytest.mark.parametrize("memory_limit", [10**9, 0], ids=["in memory", "from disk"])
def test_they_are_left_out_on_request_and_that_is_said(broken, memory_limit):
    bundle = loaded(broken, skip_unreadable=True, memory_limit=memory_limit)
    assert sum(lengths(bundle)) == 20
    assert len(rows(bundle.train) | rows(bundle.val) | rows(bundle.test)) == 20
    assert torch.equal(sum(getattr(bundle, part).targets.bincount(minlength=2) for part in PARTS), torch.tensor([10, 10]))
    (said,) = [note for note in bundle.notes if note.startswith("left out")]
    assert said.startswith("left out 6 files: flower/bad0.jpg is empty (0 bytes); ")


def test_of_a_set_on_disk_empty_files_are_refused_before_training(photo_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("dlcli.data.folder.SAMPLE", 3)
    photo_folder(tmp_path, {"flower": 10, "palace": 10})
    (tmp_path / "palace" / "empty.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 of \d+ files cannot be used: palace/empty\.jpg is empty"):
        loaded(tmp_path, memory_limit=0)


def test_a_class_that_loses_its_last_image_is_refused(photo_folder, tmp_path):
    root = in_parts(photo_folder, tmp_path, train=6, val=2, test=2)
    for path in (root / "train" / "palace").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match="no readable image of palace is left to train on"):
        loaded(root, skip_unreadable=True)


def test_a_class_with_one_image_is_refused_where_dlcli_splits_and_copies_count_once(photo_folder, tmp_path):
    photo_folder(tmp_path, {"flower": 1, "palace": 9})
    shutil.copy(tmp_path / "flower/000.jpg", tmp_path / "flower/again.jpg")
    with pytest.raises(DataError, match="flower has one image only") as caught:
        loaded(tmp_path)
    assert "add images" in caught.value.hint


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read the folder .*gone"):
        loaded(tmp_path / "gone")


def test_no_folder_at_all_is_what_the_user_left_out():
    with pytest.raises(UsageError, match=r"data\.root is not set") as caught:
        ImageFolder().load()
    assert caught.value.hint == "--data FOLDER"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 4}, "size must be in 8 … 2048 pixels, got 4"),
        ({"size": 100_000}, "size must be in 8 … 2048 pixels, got 100000"),
        ({"channels": 4}, "channels must be 1"),
        ({"val_share": 0.0}, "val_share must be between 0 and 1"),
        ({"test_share": 1.0}, "test_share must be between 0 and 1"),
        ({"val_share": 0.6, "test_share": 0.4}, "val_share and test_share must leave something"),
        ({"eval_crop": 0.0}, r"eval_crop must be in \(0, 1\]"),
        ({"memory_limit": -1}, "memory_limit must be a number of bytes"),
    ],
)
def test_a_value_out_of_range_is_refused_before_anything_is_read(values, message):
    with pytest.raises(ValueError, match=message):
        ImageFolder(root="nowhere", **values)


def test_a_folder_of_nothing_but_letters_of_other_scripts_has_a_name_that_a_run_can_have(photo_folder, tmp_path):
    assert loaded(photo_folder(tmp_path / "猫", {"flower": 8, "palace": 8})).spec.name == "photos"


def test_hostile_names_never_reach_the_terminal_as_they_are(dl, photo_folder, tmp_path):
    try:
        photo_folder(tmp_path, {"\x1b[31mred": 8, "\u202eflower": 8})
        (tmp_path / "\x1b[31mred" / "\x1b]0;title\x07.jpg").write_bytes(b"no image")
    except OSError:
        pytest.skip("this file system has no such names")
    refused, shown = dl("data", "check", str(tmp_path)), dl("data", "check", str(tmp_path), "data.skip_unreadable=true")
    assert (refused.code, shown.code) == (65, 0)
    assert r"\x1b[31mred/\x1b]0;title\x07.jpg is no image that can be read" in refused.err
    assert r"\u202eflower 6" in shown.err
    assert not {"\x1b", "\x07", "\u202e"} & set(refused.err + refused.out + shown.err + shown.out)
