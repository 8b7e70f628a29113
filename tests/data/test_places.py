import gzip
import hashlib
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


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def published(**changes) -> Published:
    values = {"name": "images.gz", "urls": ("https://example.org/images.gz",), "size": 9, "sha256": sha256(b"x")}
    return Published(name="letters", files=(Remote(**values | changes),), terms="MIT", subfolders=("raw",))


def is_here(source: Published, root: Path, *, checked: bool = True) -> bool:
    return places.is_here(source, source.files[0], root=str(root), checked=checked)


def test_a_file_is_here_where_it_would_be_found_and_its_digest_is_right(tmp_path):
    assert not is_here(published(), tmp_path)
    put(tmp_path / "raw" / "images.gz")
    assert is_here(published(), tmp_path)
    assert not is_here(published(sha256=sha256(b"other")), tmp_path)
    assert is_here(published(sha256=sha256(b"other")), tmp_path, checked=False)


def test_an_archive_is_here_where_all_that_is_kept_of_it_is(tmp_path):
    source = published(contents={"one": sha256(b"x"), "two": sha256(b"x")})
    put(tmp_path / "images.gz")
    put(tmp_path / "one")
    assert not is_here(source, tmp_path)
    put(tmp_path / "two")
    assert is_here(source, tmp_path)


def test_a_plain_file_or_one_that_was_packed_anew_is_as_good_where_its_content_is_known(tmp_path):
    source = published(sha256=sha256(b"as published"), unpacked=sha256(b"content"))
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(b"content"))
    assert is_here(source, tmp_path)
    path.write_bytes(gzip.compress(b"content")[:-5])
    assert not is_here(source, tmp_path)
    path.write_bytes(b"no gzip")
    assert not is_here(source, tmp_path)
    (tmp_path / "images").write_bytes(b"content")
    assert is_here(source, tmp_path)
