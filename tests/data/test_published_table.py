import hashlib

import pytest

from dlcli.data.fetchable import Published, Remote
from dlcli.data.published_table import read_published
from dlcli.errors import DataError, StorageError

CONTENT = b"a,b\n1,2\n"
REMOTE = Remote(name="t.csv", urls=("https://example.org/t.csv",), size=8, sha256=hashlib.sha256(CONTENT).hexdigest())
PUBLISHED = Published(name="small", files=(REMOTE,), terms="none stated")


def test_the_published_file_is_read_from_the_folder_that_is_named(tmp_path):
    (tmp_path / "t.csv").write_bytes(CONTENT)
    assert read_published(PUBLISHED, REMOTE, root=str(tmp_path)) == (tmp_path / "t.csv", CONTENT.decode())


def test_another_file_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(CONTENT + b"3,4\n")
    with pytest.raises(DataError, match="is not the published file: its digest is") as caught:
        read_published(PUBLISHED, REMOTE, root=str(tmp_path))
    assert caught.value.hint == "dl fetch small"


def test_where_there_is_none_ways_to_have_it_are_said(tmp_path):
    with pytest.raises(StorageError, match=r"small is not here: there is no t\.csv") as caught:
        read_published(PUBLISHED, REMOTE, root=str(tmp_path))
    assert "dl fetch small" in caught.value.hint
