from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from dlcli.data.folder import ImageFolder
from dlcli.data.imagenet import _LANDMARKS, ImageNet, names_of
from dlcli.errors import StorageError, UsageError


@pytest.fixture(scope="module")
def root(photo_folder, tmp_path_factory):
    """Two classes laid out as ILSVRC is."""
    folder = tmp_path_factory.mktemp("imagenet")
    photo_folder(folder, {"train/n00000001_flower": 25, "train/n00000002": 25})
    return photo_folder(folder, {"val/n00000001_flower": 3, "val/n00000002": 4}, start=50)


def test_the_published_val_is_the_test_part_and_val_is_held_back_from_train(root):
    bundle = ImageNet(root=str(root), size=32).load()
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (48, 2, 7)
    assert (bundle.spec.name, bundle.spec.shape) == ("imagenet", (3, 32, 32))
    assert bundle.spec.classes == ("n00000001_flower", "n00000002")
    assert bundle.spec.epsilon == {"linf": 4 / 255, "l2": 3.0}


def test_but_for_its_defaults_it_is_a_folder_of_images(root):
    ours = ImageNet(root=str(root), size=32, split_seed=3).load()
    theirs = ImageFolder(root=str(root), size=32, split_seed=3, val_share=0.04, eval_crop=0.875).load()
    for part in ("train", "val", "test"):
        assert torch.equal(getattr(ours, part).inputs, getattr(theirs, part).inputs)


def thousand() -> list[str]:
    """A thousand ids in order, with those that are looked at in their places."""
    ids, known = [], [*_LANDMARKS.items(), (1000, "n99999999")]
    for (start, first), (end, _) in pairwise(known):
        ids += [f"n{int(first[1:]) + step:08}" for step in range(end - start)]
    return ids


def test_the_thousand_classes_have_the_names_and_numbers_of_torchvisions_weights():
    names = names_of(tuple(thousand()))
    assert (names[0], names[281], names[657], names[999]) == ("tench", "tabby", "missile", "toilet tissue")
    assert len(names) == 1000


@pytest.mark.parametrize("change", ["one fewer", "another one", "no ids"])
def test_other_folders_keep_their_names(change):
    ids = thousand()
    if change == "one fewer":
        ids.pop()
    elif change == "another one":  # all behind it move by one
        ids = sorted([*ids[:300], "n00000001", *ids[301:]])
    else:
        ids[5] = "cat"
    assert names_of(tuple(ids)) == tuple(ids)


def test_it_is_looked_for_in_the_data_folder(root, tmp_path, monkeypatch):
    monkeypatch.setenv("DL_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(UsageError, match=r"there is no ImageNet in .*imagenet or .*cache.*image-net\.org") as caught:
        ImageNet().load()
    assert "data.root=FOLDER" in caught.value.hint
    (tmp_path / "imagenet").symlink_to(root)
    assert len(ImageNet(size=16).load().test) == 7


def test_a_root_that_is_given_and_missing_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read the folder .*gone"):
        ImageNet(root=str(tmp_path / "gone")).load()


def test_a_value_out_of_range_is_refused_before_anything_is_read():
    with pytest.raises(ValueError, match="size must be in 8 … 2048"):
        ImageNet(size=1)
