import bz2
import errno
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from dlcli.data.archives import members, read_members, unpack
from dlcli.errors import DataError, StorageError

FILES = {"a/one.txt": b"one" * 1000, "two.bin": bytes(range(256)) * 20, "b/c/empty": b""}


def tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in FILES.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/", b"")
        for name, content in FILES.items():
            archive.writestr(name, content)
    return made.getvalue()


KINDS = {
    "zip": zipped,
    "tar": tar,
    "tar.gz": lambda: gzip.compress(tar()),
    "tar.bz2": lambda: bz2.compress(tar()),
    "tar.xz": lambda: lzma.compress(tar()),
}


@pytest.fixture(params=KINDS)
def archive(request, tmp_path) -> Path:
    path = tmp_path / f"set.{request.param}"
    path.write_bytes(KINDS[request.param]())
    return path


def test_every_kind_gives_its_files_with_their_content(archive):
    assert {member.name: member.read() for member in members(archive)} == FILES


def test_files_can_be_passed_over_and_read_in_pieces(archive):
    found = {}
    for member in members(archive):
        if member.name == "two.bin":
            assert member.size == 5120
            found[member.name] = member.read(100) + member.read()
    assert found == {"two.bin": FILES["two.bin"]}


def test_named_files_are_read_without_writing_anything(archive, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert read_members(archive, ["two.bin", "a/one.txt"]) == {name: FILES[name] for name in ("two.bin", "a/one.txt")}
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(DataError, match=r"holds no x\.bin, y\.bin"):
        read_members(archive, ["x.bin", "two.bin", "y.bin"])


def test_unpacking_writes_the_same_files(archive, tmp_path):
    folder = tmp_path / "new" / "folder"
    assert unpack(archive, folder) == list(FILES)
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert sum(path.is_file() for path in folder.rglob("*")) == len(FILES)


def test_only_what_is_named_is_unpacked(archive, tmp_path):
    unpack(archive, tmp_path / "some", names=["two.bin"])
    assert [path.name for path in (tmp_path / "some").rglob("*")] == ["two.bin"]


def test_what_lacks_a_named_file_leaves_nothing_behind(archive, tmp_path):
    with pytest.raises(DataError, match="holds no nothing"):
        unpack(archive, tmp_path / "some", names=["two.bin", "nothing"])
    assert not (tmp_path / "some").exists()


def test_a_bad_file_late_in_a_tar_leaves_nothing_behind(tmp_path):
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w") as made:
        made.addfile(tarfile.TarInfo("good"))
        made.addfile(tarfile.TarInfo("../bad"))
    with pytest.raises(DataError, match="leaves its folder"):
        unpack(path, tmp_path / "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["set.tar"]


def test_a_folder_that_exists_is_never_unpacked_into(archive, tmp_path):
    with pytest.raises(StorageError, match="cannot make"):
        unpack(archive, tmp_path)
    assert archive.exists()


def test_a_full_disk_is_a_storage_error_and_leaves_nothing_behind(archive, tmp_path, monkeypatch):
    really_open = Path.open

    def full(self, mode="r", *arguments, **names):
        if mode == "xb":
            raise OSError(errno.ENOSPC, "No space left on device")
        return really_open(self, mode, *arguments, **names)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageError, match=r"cannot write .*: No space left"):
        unpack(archive, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.999])
def test_a_cut_archive_is_a_data_error(archive, share):
    content = archive.read_bytes().rstrip(b"\0")  # the zeros at the end of a tar say nothing
    archive.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError):
        [member.read() for member in members(archive)]


def test_a_tar_that_ends_after_a_whole_file_is_seen_to_be_cut(tmp_path):
    content = tar()
    path = tmp_path / "set.tar"
    path.write_bytes(content[: content.index(b"./two.bin")])
    with pytest.raises(DataError, match="damaged"):
        list(members(path))


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", bytes(100), b"PK\x03\x04" + bytes(100), b"\x1f\x8b" + bytes(50)]
)
def test_what_is_no_archive_is_a_data_error(tmp_path, content):
    path = tmp_path / "set.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"set\.zip"):
        list(members(path))


def test_a_tar_that_ends_in_a_zip_is_read_as_a_tar(tmp_path):
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w") as made:
        info = tarfile.TarInfo("inner.zip")
        info.size = len(zipped())
        made.addfile(info, io.BytesIO(zipped()))
    assert [member.name for member in members(path)] == ["inner.zip"]


def test_a_missing_archive_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read .*nothing\.zip: No such file"):
        list(members(tmp_path / "nothing.zip"))


def test_a_damaged_byte_never_goes_unseen(tmp_path):
    content = zipped()
    position = content.index(b"two.bin") + 20
    path = tmp_path / "set.zip"
    path.write_bytes(content[:position] + bytes([content[position] ^ 255]) + content[position + 1 :])
    with pytest.raises(DataError):
        read_members(path, list(FILES))


def test_an_offset_before_the_start_of_a_zip_is_a_data_error(tmp_path):
    content = bytearray(zipped())
    end = content.index(b"PK\x05\x06")
    content[end + 16 : end + 20] = b"\xff\xff\xff\x7f"
    path = tmp_path / "set.zip"
    path.write_bytes(content)
    with pytest.raises(DataError):
        list(members(path))
