import hashlib
import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from dlcli.data.fetchable import Published
from dlcli.data.splits import Labelled, channel_statistics
from dlcli.data.svhn import SVHN, read_mat
from dlcli.errors import DataError, StorageError

svhn = importlib.import_module("dlcli.data.svhn")
IMAGES = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 30), dtype=np.uint8)
LABELS = (np.arange(30) % 10 + 1).astype(np.uint8)[:, None]


def read(path: Path) -> Labelled:
    return read_mat(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), size=30)


@pytest.fixture
def write(tmp_path):
    def write(name: str = "train_32x32.mat", **arrays):
        path = tmp_path / name
        savemat(path, {"X": IMAGES, "y": LABELS} | arrays, do_compression=True)
        return path

    return write


def test_pixels_keep_their_row_column_and_channel(write):
    found = read(write())
    for number, row, column, channel in ((0, 0, 0, 0), (29, 31, 5, 2), (7, 3, 30, 1)):
        assert found.images[number, channel, row, column] == IMAGES[row, column, channel, number]
    assert found.images.shape == (30, 3, 32, 32)
    assert found.images.is_contiguous(memory_format=torch.channels_last)


def test_label_10_is_the_digit_0(write):
    assert read(write()).labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] * 3


def test_a_whole_set_is_read_split_and_measured(write, tmp_path, monkeypatch):
    files = []
    for file, rows in zip(SVHN.published.files, (slice(20), slice(20, 30)), strict=True):
        content = write(file.name, X=IMAGES[..., rows], y=LABELS[rows]).read_bytes()
        files.append(replace(file, sha256=hashlib.sha256(content).hexdigest()))
    monkeypatch.setattr(SVHN, "published", Published(name="svhn", files=tuple(files), terms="none"))
    monkeypatch.setattr(svhn, "TRAIN_SIZE", 20)
    monkeypatch.setattr(svhn, "TEST_SIZE", 10)
    bundle = SVHN(root=str(tmp_path), val_size=10).load()
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (10, 10, 10)
    assert bundle.test.targets.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    everything = torch.cat([bundle.train.inputs, bundle.val.inputs])
    assert (bundle.spec.mean, bundle.spec.std) == channel_statistics(everything)


def test_another_file_than_the_published_one_is_a_data_error(write, tmp_path):
    write()
    write("test_32x32.mat")
    with pytest.raises(DataError, match=r"train_32x32\.mat is not the published file"):
        SVHN(root=str(tmp_path)).load()


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"X": IMAGES[..., :29]}, r"holds X \(32, 32, 3, 29\), y \(30, 1\); expected X \(32, 32, 3, 30\)"),
        ({"y": LABELS.T}, r"y \(1, 30\)"),
        ({"X": IMAGES.astype(np.float32)}, "X of float32"),
        ({"y": np.full((30, 1), 11, dtype=np.uint8)}, "from 11 to 11"),
        ({"y": np.zeros((30, 1), dtype=np.uint8)}, "from 0 to 0"),
        ({"y": LABELS.astype(float)}, "y of float64"),
    ],
)
def test_another_structure_is_a_data_error(write, arrays, said):
    with pytest.raises(DataError, match=said):
        read(write(**arrays))


def test_a_file_without_labels_is_a_data_error(tmp_path):
    savemat(tmp_path / "x.mat", {"X": IMAGES})
    with pytest.raises(DataError, match="y None"):
        read(tmp_path / "x.mat")


@pytest.mark.parametrize("cut", [0, 60, 200, 3000, -1])
def test_a_cut_file_is_a_data_error(write, cut):
    path = write()
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"train_32x32\.mat"):
        read(path)


@pytest.mark.parametrize(
    "content", [b"<html>", b"\x89HDF\r\n\x1a\n" + bytes(600), bytes(200), b"MATLAB 7.3 MAT-file" + bytes(600)]
)
def test_what_is_no_matlab_file_is_a_data_error(tmp_path, content):
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.mat"):
        read(tmp_path / "x.mat")


def test_what_is_missing_or_out_of_range_is_said(tmp_path):
    with pytest.raises(StorageError, match=r"svhn is not here: there is no train_32x32\.mat; 246\.3 MB to download in all"):
        SVHN(root=str(tmp_path)).load()
    with pytest.raises(ValueError, match="val_size must be in 1 … 73256"):
        SVHN(val_size=73_257)


def test_zero_comes_first_among_the_classes():
    assert svhn.SPEC.classes == tuple("0123456789")
