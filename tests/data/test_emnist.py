from dataclasses import replace

import pytest
import torch

from dlcli.data import emnist
from dlcli.data.emnist import CLASSES, EMNIST, FILES
from dlcli.errors import StorageError


@pytest.fixture
def made(tmp_path, monkeypatch, idx):
    """A folder with two published images of each class of "letters" in train and one in test; returns it and the test images."""
    files = replace(FILES["letters"], train_size=52, test_size=26)
    monkeypatch.setattr(emnist, "FILES", {**FILES, "letters": files})
    pixels = torch.randint(0, 256, (78, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = (torch.arange(78) % 26 + 1).to(torch.uint8)
    folder = tmp_path / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    for (images_name, labels_name), rows in ((files.train, slice(52)), (files.test, slice(52, 78))):
        (folder / images_name).write_bytes(idx(pixels[rows]))
        (folder / labels_name).write_bytes(idx(labels[rows]))
    return tmp_path, pixels[52:]


def test_images_are_upright_and_letters_count_from_a(made):
    root, published = made
    bundle = EMNIST(root=str(root), split="letters", val_size=26).load()
    assert torch.equal(bundle.test.inputs[:, 0], published.transpose(1, 2))
    assert bundle.test.targets.tolist() == list(range(26))
    assert bundle.spec.name == "emnist_letters"
    assert (bundle.spec.classes[0], bundle.spec.classes[25]) == ("a", "z")
    assert bundle.notes[0].startswith("checked by structure alone")


def test_balanced_has_the_47_classes_of_the_paper():
    # Cohen et al. 2017, section II: fifteen letters are merged with their capitals.
    classes = CLASSES["balanced"]
    assert len(classes) == 47
    assert list(classes) == sorted(classes)
    assert set("abcdefghijklmnopqrstuvwxyz") - set(classes) == set("cijklmopsuvwxyz")


@pytest.mark.parametrize(("split", "sizes"), [("balanced", (2_400, 400)), ("letters", (4_800, 800)), ("digits", (24_000, 4_000))])
def test_the_sizes_are_the_papers_images_per_class(split, sizes):
    count = len(CLASSES[split])
    assert (FILES[split].train_size, FILES[split].test_size) == (sizes[0] * count, sizes[1] * count)


def test_what_is_kept_of_the_archive_is_every_file_that_is_read():
    (archive,) = EMNIST.published.files
    names = {f"gzip/{name}.gz" for files in FILES.values() for name in files.names}
    assert set(archive.kept) == names


def test_without_the_files_three_ways_to_have_them_are_said(tmp_path):
    with pytest.raises(StorageError, match=r"emnist is not here: there is no emnist-balanced-train-images-idx3-ubyte\.gz or"):
        EMNIST(root=str(tmp_path)).load()


def test_an_unknown_split_and_a_val_size_out_of_range_are_refused_before_loading():
    with pytest.raises(ValueError, match="split must be one of balanced, letters, digits, got 'byclass'"):
        EMNIST(split="byclass")
    with pytest.raises(ValueError, match="val_size must be in 1 … 112799"):
        EMNIST(val_size=112_800)
