from pathlib import Path

import pytest

from dlcli.data import places
from dlcli.data.fetchable import Published, Remote
from dlcli.errors import StorageError

SET = Published(
    name="letters",
    files=(Remote(name="images.gz", urls=("https://example.org/images.gz",), size=31_000_000, md5="ab" * 16),),
    terms="none stated",
    subfolders=("raw",),
)


@pytest.fixture(autouse=True)
def _no_cache_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("LOCALAPPDATA", raising=False)


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_the_cache_is_where_the_environment_says_else_under_home(monkeypatch, tmp_path):
    assert places.user_cache() == tmp_path / "cache" / "dlcli"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert places.user_cache() == tmp_path / "local" / "dlcli"
    monkeypatch.delenv("LOCALAPPDATA")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert places.user_cache() == tmp_path / "home" / ".cache" / "dlcli"


def test_fetched_data_go_to_dl_data_where_it_is_set(monkeypatch, tmp_path):
    assert places.own_folder("letters") == tmp_path / "cache" / "dlcli" / "data" / "letters"
    monkeypatch.setenv("DL_DATA", str(tmp_path / "all"))
    assert places.own_folder("letters") == tmp_path / "all" / "letters"


def test_a_given_root_comes_alone_then_dl_data_then_the_cache(monkeypatch, tmp_path):
    cached = put(tmp_path / "cache" / "dlcli" / "data" / "letters" / "images.gz")
    assert places.find(SET, ["images.gz"], root=None) == cached
    monkeypatch.setenv("DL_DATA", str(tmp_path / "all"))
    assert places.find(SET, ["images.gz"], root=None) == cached
    chosen = put(tmp_path / "all" / "letters" / "images.gz")
    assert places.find(SET, ["images.gz"], root=None) == chosen
    with pytest.raises(StorageError):
        places.find(SET, ["images.gz"], root=str(tmp_path))
    below = put(tmp_path / "letters" / "images.gz")
    assert places.find(SET, ["images.gz"], root=str(tmp_path)) == below
    given = put(tmp_path / "images.gz")
    assert places.find(SET, ["images.gz"], root=str(tmp_path)) == given


def test_plain_comes_before_packed_and_the_folder_before_its_subfolders(tmp_path):
    deep = put(tmp_path / "raw" / "images")
    assert places.look([tmp_path], ["images", "images.gz"], subfolders=("raw",)) == deep
    packed = put(tmp_path / "images.gz")
    assert places.look([tmp_path], ["images", "images.gz"], subfolders=("raw",)) == packed
    plain = put(tmp_path / "images")
    assert places.look([tmp_path], ["images", "images.gz"], subfolders=("raw",)) == plain


def test_a_folder_of_that_name_is_no_file(tmp_path):
    (tmp_path / "images").mkdir()
    assert places.look([tmp_path], ["images"]) is None


def test_what_is_missing_is_said_with_its_size_where_it_was_looked_for_and_three_ways_to_supply_it(monkeypatch, tmp_path):
    monkeypatch.setenv("DL_DATA", str(tmp_path / "all"))
    with pytest.raises(StorageError) as caught:
        places.find(SET, ["images", "images.gz"], root=None)
    said = f"{caught.value.message}\n{caught.value.hint}"
    assert len(said.splitlines()) <= 8
    for part in ("no images or images.gz", "31.0 MB", f"{tmp_path / 'all' / 'letters'} and {tmp_path / 'cache'}", "in raw below"):
        assert part in caught.value.message
    for way in ("dl fetch letters;", f"copy the published files to {tmp_path / 'all' / 'letters'};", "data.root=FOLDER"):
        assert way in caught.value.hint


def test_where_a_root_is_given_fetching_goes_there(tmp_path):
    with pytest.raises(StorageError) as caught:
        places.find(SET, ["images"], root=str(tmp_path))
    assert f"dl fetch letters --to {tmp_path};" in caught.value.hint
    assert "cache" not in caught.value.message


def test_without_a_home_folder_only_dl_data_is_looked_at(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", str)
    monkeypatch.setenv("DL_DATA", str(tmp_path))
    assert places.folders_of("letters") == (tmp_path / "letters",)
    monkeypatch.delenv("DL_DATA")
    with pytest.raises(StorageError, match="no home folder"):
        places.folders_of("letters")
