import gzip
import hashlib
import struct

import numpy as np
import pytest
import torch

from dlcli.data.idx import read_idx
from dlcli.errors import DataError, StorageError

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 3, 4) + VALUES.tobytes()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def write(tmp_path):
    def write(content: bytes):
        path = tmp_path / "some-idx3-ubyte"
        path.write_bytes(content)
        return path

    return write


def test_a_plain_file_gives_its_values_in_its_shape(write):
    found = read_idx(write(CONTENT), sha256=digest(CONTENT))
    assert torch.equal(found, torch.from_numpy(VALUES.copy()))


def test_a_gzip_file_gives_the_same_and_is_hashed_decompressed(write):
    found = read_idx(write(gzip.compress(CONTENT)), sha256=digest(CONTENT))
    assert torch.equal(found, torch.from_numpy(VALUES.copy()))


def test_the_values_can_be_written_to(write):
    found = read_idx(write(CONTENT), sha256=digest(CONTENT))
    found += 1
    assert found[0, 0, 0] == 1


def test_another_content_is_a_data_error_that_names_file_expected_and_found_hash(write):
    path, other = write(CONTENT), digest(b"other")
    with pytest.raises(DataError) as caught:
        read_idx(path, sha256=other)
    assert all(part in caught.value.message for part in (str(path), other, digest(CONTENT)))


@pytest.mark.parametrize("cut", [3, 10, 40], ids=["in the header", "in the data", "near the end"])
def test_a_cut_gzip_file_is_a_data_error_that_names_it(write, cut):
    path = write(gzip.compress(CONTENT)[:cut])
    with pytest.raises(DataError, match="some-idx3-ubyte is cut or damaged"):
        read_idx(path, sha256=digest(CONTENT))


@pytest.mark.parametrize("position", range(len(gzip.compress(CONTENT))))
def test_a_flipped_byte_in_a_gzip_file_is_a_data_error_or_harmless_metadata(write, position):
    damaged = bytearray(gzip.compress(CONTENT, mtime=0))
    damaged[position] ^= 0xFF
    # Bytes 4 to 9 are the time, flags and system of the compressor: no part of the content.
    if 4 <= position <= 9:
        assert read_idx(write(bytes(damaged)), sha256=digest(CONTENT)).shape == (2, 3, 4)
    else:
        with pytest.raises(DataError, match="some-idx3-ubyte"):
            read_idx(write(bytes(damaged)), sha256=digest(CONTENT))


def test_a_cut_plain_file_is_a_data_error_with_both_lengths(write):
    with pytest.raises(DataError, match="39 bytes, expected 40"):
        read_idx(write(CONTENT[:-1]), sha256=digest(CONTENT))


def test_bytes_after_the_end_are_a_data_error(write):
    with pytest.raises(DataError, match="41 bytes, expected 40"):
        read_idx(write(CONTENT + b"\0"), sha256=digest(CONTENT))


def test_huge_dimensions_in_a_short_file_are_a_data_error(write):
    content = struct.pack(">BBBBIII", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    with pytest.raises(DataError, match="16 bytes, expected"):
        read_idx(write(content), sha256=digest(content))


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08", b"<html>", b"\0\0\x0d\x01\0\0\0\0", b"\0\0\x08\x00", b"\0\0\x08\x02\0\0\0\x01"],
    ids=["empty", "cut magic", "a web page", "floats", "no dimensions", "cut dimensions"],
)
def test_what_is_no_idx_file_of_bytes_is_a_data_error(write, content):
    with pytest.raises(DataError, match="is no IDX file of unsigned bytes"):
        read_idx(write(content), sha256=digest(content))


def test_a_missing_file_is_a_storage_error_that_names_it(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read .*nothing-here"):
        read_idx(tmp_path / "nothing-here", sha256="")


def test_a_folder_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="cannot read"):
        read_idx(tmp_path, sha256="")


def test_the_shape_is_checked_where_no_digest_is_known(write):
    assert read_idx(write(CONTENT), sha256=None, shape=(2, 3, 4)).shape == (2, 3, 4)
    with pytest.raises(DataError, match=r"holds values of shape \(2, 3, 4\), expected \(2, 12\)"):
        read_idx(write(CONTENT), sha256=None, shape=(2, 12))


def test_a_packed_file_far_larger_than_its_shape_is_not_unpacked_whole(write):
    bomb = gzip.compress(CONTENT + bytes(5_000_000))
    with pytest.raises(DataError, match="41 bytes, expected 40"):
        read_idx(write(bomb), sha256=None, shape=(2, 3, 4))
