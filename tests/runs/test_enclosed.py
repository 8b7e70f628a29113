import os

import pytest

from dlcli.errors import DataError, StorageError
from dlcli.runs.enclosed import read_enclosed


@pytest.fixture
def folder(tmp_path):
    """A run folder with a picture, and a secret beside it."""
    (tmp_path / "secret.png").write_bytes(b"secret")
    run = tmp_path / "run"
    (run / "plots").mkdir(parents=True)
    (run / "plots" / "curves.png").write_bytes(b"picture")
    return run


def test_a_file_of_the_run_is_read(folder):
    assert read_enclosed(folder, "plots/curves.png", limit=7) == b"picture"


@pytest.mark.parametrize(
    "name", ["../secret.png", "plots/../../secret.png", "/etc/passwd", "", "plots\\..\\x", "C:/x", "a\0b", "a/" * 20]
)
def test_a_name_that_leads_out_is_refused(folder, name):
    with pytest.raises(DataError, match="no name of a file in its run folder"):
        read_enclosed(folder, name, limit=100)


def test_an_absolute_path_of_the_secret_is_refused(folder):
    with pytest.raises(DataError, match="not opened"):
        read_enclosed(folder, str(folder.parent / "secret.png"), limit=100)


def test_a_link_is_not_followed_be_it_file_or_folder(folder):
    (folder / "file.png").symlink_to(folder.parent / "secret.png")
    (folder / "out").symlink_to(folder.parent, target_is_directory=True)
    for name in ("file.png", "out/secret.png"):
        with pytest.raises(DataError, match="leads through a link"):
            read_enclosed(folder, name, limit=100)


def test_pipes_folders_missing_and_huge_files_are_refused(folder):
    os.mkfifo(folder / "pipe.png")
    for name, words in (("pipe.png", "no plain file"), ("plots", "no plain file"), ("none.png", "not there")):
        with pytest.raises(DataError, match=words):
            read_enclosed(folder, name, limit=100)
    with pytest.raises(DataError, match="more than"):
        read_enclosed(folder, "plots/curves.png", limit=6)


def test_a_name_that_no_disk_can_hold_is_a_storage_error(folder):
    with pytest.raises(StorageError):
        read_enclosed(folder, "x" * 5000, limit=100)
