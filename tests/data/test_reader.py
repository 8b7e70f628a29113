from __future__ import annotations

import pickle

import pytest
import torch

from dlcli.data.decode import decode
from dlcli.data.layout import scan
from dlcli.data.reader import Reader, Requests
from dlcli.errors import DataError, StorageError


@pytest.fixture(scope="module")
def files(photo_folder, tmp_path_factory):
    return scan(photo_folder(tmp_path_factory.mktemp("reader"), {"flower": 5, "palace": 4})).files


def test_rows_are_decoded_in_their_order_one_square_each(files):
    images = Reader(files, 32, 3)[[7, 0, 7], 1.0]
    assert (images.pixels.dtype, tuple(images.pixels.shape)) == (torch.uint8, (3, 32, 32, 3))
    for at, row in enumerate([7, 0, 7]):
        assert torch.equal(images.pixels[at].permute(2, 0, 1), decode(files.path(row), size=32).pixels)


def test_threads_read_the_same_and_say_what_the_files_were(files):
    rows = torch.tensor([8, 1, 3])
    images = Reader(files, 16, 1).read(rows, 0.5)
    assert torch.equal(images.pixels, Reader(files, 16, 1)[rows.tolist(), 0.5].pixels)
    assert images.seen == ((96, 72, "RGB"),) * 3


def test_what_cannot_be_read_is_said_with_its_position_and_left_black(photo_folder, tmp_path):
    root = photo_folder(tmp_path, {"flower": 2, "palace": 2})
    (root / "flower" / "001.jpg").write_bytes(b"no image")
    files = scan(root).files
    (root / "palace" / "000.jpg").unlink()
    for images in (Reader(files, 8, 3)[[0, 1, 2, 3], 1.0], Reader(files, 8, 3).read(torch.arange(4), 1.0)):
        assert [(at, type(error)) for at, error in images.errors] == [(1, DataError), (2, StorageError)]
        assert images.pixels[1].max() == images.pixels[2].max() == 0
        assert images.pixels[3].max() > 0
    assert images.seen[1] is images.seen[2] is None


def test_an_error_comes_whole_through_the_pipe_from_a_worker(photo_folder, tmp_path):
    root = photo_folder(tmp_path, {"flower": 1, "palace": 1})
    (root / "flower" / "000.jpg").write_bytes(b"")
    reader = pickle.loads(pickle.dumps(Reader(scan(root).files, 8, 3)))
    ((_, error),) = pickle.loads(pickle.dumps(reader[[0], 1.0])).errors
    assert error.message.endswith("000.jpg is empty (0 bytes)")
    assert error.code == 65


def test_requests_cut_rows_into_batches_the_last_one_shorter():
    requests = Requests(torch.tensor([5, 3, 9, 1, 0]), 2, 0.9)
    assert list(requests) == [([5, 3], 0.9), ([9, 1], 0.9), ([0], 0.9)]
    assert len(requests) == 3
    assert list(requests) == list(requests)
    assert len(Requests(torch.tensor([]), 2, 1.0)) == 0
