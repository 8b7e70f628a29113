"""The file that ``--weights`` names."""

import os

import pytest

from dlcli.errors import DataError, StorageError, UsageError
from dlcli.runs import given_weights as module
from dlcli.runs.given_weights import is_path, is_there, read_given


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.pth").write_bytes(b"weights")
    return tmp_path


@pytest.mark.parametrize("weights", ["a.pth", "a.pt", "a.bin", "a.safetensors", "A.PTH", "./a", "folder/a"])
def test_an_ending_or_a_separator_makes_a_path(weights):
    assert is_path(weights)


@pytest.mark.parametrize("weights", ["imagenet", "IMAGENET1K_V1", "none", "a1_in1k", "a.txt", ""])
def test_anything_else_is_the_name_of_a_set(weights):
    assert not is_path(weights)


def test_content_comes_also_through_a_link_and_from_the_home_folder(here, monkeypatch):
    (here / "link.pth").symlink_to(here / "own.pth")
    monkeypatch.setenv("HOME", str(here))
    assert [read_given(name) for name in ("own.pth", "link.pth", "~/own.pth", str(here / "own.pth"))] == [b"weights"] * 4


@pytest.mark.parametrize(
    ("weights", "said", "hint"),
    [
        ("ownn.pth", "there is no such file; did you mean 'own.pth'", "--weights own.pth"),
        ("zzzzzz.bin", "there is no such file; the folder has own.pth", "--weights imagenet"),
        ("nowhere/own.pth", "there is no folder nowhere", "--weights imagenet"),
        ("own.pth/own.pth", "there is no folder own.pth", "--weights imagenet"),
        (".", "is a folder; expected a file that ends in .safetensors, .pth, .pt or .bin", "--weights own.pth"),
        ("./notes.txt", "expected a file that ends in", "--weights imagenet"),
        ("pipe.pth", "is no plain file", "--weights imagenet"),
        ("gone.pth", "there is no such file", None),
        ("circle.pth", "there is no such file", None),
        ("a\0.pth", "is no path", "--weights imagenet"),
        ("x" * 300 + ".pth", "there is no such file", None),
    ],
)
def test_what_is_no_file_of_weights_is_refused_with_what_is_there(here, weights, said, hint):
    (here / "notes.txt").write_text("notes")
    os.mkfifo(here / "pipe.pth")
    (here / "gone.pth").symlink_to(here / "removed")
    (here / "circle.pth").symlink_to(here / "circle.pth")
    with pytest.raises(UsageError, match=said) as caught:
        read_given(weights)
    assert hint is None or caught.value.hint == hint


def test_a_file_that_is_too_large_is_not_read(here, monkeypatch):
    with (here / "large.pth").open("wb") as file:
        file.truncate(module.LARGEST + 1)  # a sparse file takes no room
    with pytest.raises(DataError, match=r"large\.pth has 4,000\.0 MB; expected at most 4,000\.0 MB"):
        read_given("large.pth")
    monkeypatch.setattr(module, "LARGEST", 7)
    assert read_given("own.pth") == b"weights"


def test_a_file_that_may_not_be_read_ends_in_74(here):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (here / "own.pth").chmod(0)
    with pytest.raises(StorageError, match="no access"):
        read_given("own.pth")


def test_a_name_that_nothing_can_have_is_not_there():
    assert is_there("own.pth")
    assert not is_there("none.pth")
    assert not is_there("x" * 5000)
    assert not is_there("a\0")
