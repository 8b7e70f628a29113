import gzip
import io
import stat
import struct
import tarfile
import zipfile

import pytest

from dlcli.data import archive_entries
from dlcli.data.archive_entries import Limits
from dlcli.data.archives import members
from dlcli.errors import DataError


def tar(*entries: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            if isinstance(entry, tuple):
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                archive.addfile(info, io.BytesIO(entry[1]))
            else:
                archive.addfile(entry)
    return made.getvalue()


def special(name: str, kind: bytes, *, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return made.getvalue()


def entry_of_mode(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.fixture
def read(tmp_path):
    """The names in an archive, every file read to its end."""

    def read(content: bytes, **limits: int) -> list[str]:
        path = tmp_path / "archive"
        path.write_bytes(content)
        return [member.name for member in members(path, limits=Limits(**limits)) if member.read() is not None]

    return read


LEAVING = ["../up", "/etc/passwd", "a/../../b", "a\\..\\..\\b", "C:/x", "a//b"]


@pytest.mark.parametrize("name", LEAVING)
def test_a_name_that_leaves_the_folder_is_refused(read, name):
    for content in (tar(("good", b"1"), (name, b"2")), zipped(("good", b"1"), (name, b"2"))):
        with pytest.raises(DataError, match="leaves its folder or is none"):
            read(content)


def test_the_name_that_a_zip_hides_behind_a_nul_is_seen(read):
    content = zipped(("ab-../../x", b"1")).replace(b"ab-../../x", b"ab\0../../x")
    with pytest.raises(DataError, match=r"the name 'ab.x00\.\./\.\./x' leaves"):
        read(content)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (special("s", tarfile.SYMTYPE, target="/etc/passwd"), "'s' is a link to '/etc/passwd'"),
        (special("h", tarfile.LNKTYPE, target="../x"), r"'h' is a link to '\.\./x'"),
        (special("c", tarfile.CHRTYPE), "'c' is a device or another special file"),
        (special("b", tarfile.BLKTYPE), "'b' is a device"),
        (special("f", tarfile.FIFOTYPE), "'f' is a device or another special file"),
        (special("g", tarfile.GNUTYPE_SPARSE), "'g' is a device or another special file"),
    ],
    ids=["symbolic link", "hard link", "character device", "block device", "pipe", "sparse"],
)
def test_what_is_no_plain_file_in_a_tar_is_refused(read, entry, said):
    with pytest.raises(DataError, match=said):
        read(tar(("good", b"1"), entry))


@pytest.mark.parametrize(("mode", "said"), [(stat.S_IFLNK, "'x' is a link"), (stat.S_IFIFO, "'x' is a special file")])
def test_what_is_no_plain_file_in_a_zip_is_refused_before_anything_is_read(read, mode, said):
    with pytest.raises(DataError, match=said):
        read(zipped(("good", b"1"), (entry_of_mode("x", mode | 0o777), b"/etc/passwd")))


def test_an_encrypted_zip_is_refused(read):
    content = bytearray(zipped(("secret", b"1")))
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1
    with pytest.raises(DataError, match="'secret' is encrypted"):
        read(bytes(content))


def test_ways_of_packing_that_are_bombs_of_their_own_are_refused(read):
    with pytest.raises(DataError, match="'x' is packed in another way than stored or deflated"):
        read(zipped(("x", b"1"), method=zipfile.ZIP_LZMA))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice_is_refused(read):
    for content in (tar(("a", b"1"), ("./a", b"2")), zipped(("a", b"1"), ("a", b"2"))):
        with pytest.raises(DataError, match="is in it twice"):
            read(content)


def test_too_many_files_are_refused(read):
    files = [(f"f{number}", b"") for number in range(11)]
    for content in (tar(*files), zipped(*files)):
        assert len(read(content, files=11)) == 11
        with pytest.raises(DataError, match="it holds more than 10 files"):
            read(content, files=10)


def test_more_than_the_allowed_size_is_refused(read):
    files = [(f"f{number}", bytes(1000)) for number in range(3)]
    for content in (tar(*files), zipped(*files)):
        assert len(read(content, size=3000)) == 3
        with pytest.raises(DataError, match=r"unpacked it is larger than 3\.0 kB"):
            read(content, size=2999)


def test_a_bomb_is_refused(read, monkeypatch):
    monkeypatch.setattr(archive_entries, "_EARLY", 1_000_000)
    zeros = bytes(4_000_000)
    for content in (gzip.compress(tar(("zeros", zeros))), zipped(("zeros", zeros))):
        assert len(content) < 10_000
        with pytest.raises(DataError, match="more than 100 times its size, as a bomb is"):
            read(content, ratio=100)


def test_a_tar_that_is_longer_than_its_files_is_refused(read, monkeypatch):
    # Zeros that no header speaks of: they are skipped, but they have to be unpacked for that.
    monkeypatch.setattr(archive_entries, "_EARLY", 1_000_000)
    info = tarfile.TarInfo("big")
    info.size = 8_000_000
    with pytest.raises(DataError, match="as a bomb is"):
        read(gzip.compress(info.tobuf() + bytes(9_000_000)), ratio=100)


def test_a_header_that_would_fill_the_memory_is_refused(read):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 5_000_000
    with pytest.raises(DataError, match="a header is too long"):
        read(info.tobuf(tarfile.USTAR_FORMAT) + bytes(5_010_432))


def test_a_zip_that_lies_about_a_size_gives_no_more_than_that_and_fails(read):
    content = bytearray(zipped(("x", bytes(100_000))))
    central = content.index(b"PK\x01\x02")
    content[central + 24 : central + 28] = struct.pack("<I", 10)
    with pytest.raises(DataError, match="damaged"):
        read(bytes(content))


def test_long_and_hostile_names_are_escaped_and_cut_in_messages(read):
    with pytest.raises(DataError) as caught:
        read(tar(("../\x1b[31m\u202e" + "x" * 300, b"1")))
    assert caught.value.message.isprintable()
    assert caught.value.message.isascii() or "…" in caught.value.message
    assert len(caught.value.message.splitlines()) == 1
    with pytest.raises(DataError, match="is longer than 255 bytes"):
        read(tar(("x" * 256, b"1")))
