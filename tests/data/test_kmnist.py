from dataclasses import replace

import pytest
import torch

from dlcli.data import kmnist
from dlcli.data.kmnist import FILES, KMNIST
from dlcli.errors import DataError, StorageError


@pytest.fixture
def small(tmp_path, monkeypatch, idx):
    """A folder with a made set of 40 train and 10 test images."""
    monkeypatch.setattr(kmnist, "FILES", replace(FILES, train_size=40, test_size=10))
    for (images, labels), size in ((FILES.train, 40), (FILES.test, 10)):
        pixels = torch.randint(0, 256, (size, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(size))
        (tmp_path / images).write_bytes(idx(pixels))
        (tmp_path / labels).write_bytes(idx((torch.arange(size) % 10).to(torch.uint8)))
    return tmp_path


def test_plain_files_are_read_and_noted_since_no_digest_of_them_is_published(small):
    bundle = KMNIST(root=str(small), val_size=10).load()
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (30, 10, 10)
    assert bundle.notes[0].startswith("checked by structure alone")
    assert bundle.spec.classes[:3] == ("o", "ki", "su")
    assert 0.4 < bundle.spec.mean[0] < 0.6


def test_torchvisions_folders_are_looked_at(small, tmp_path):
    inner = tmp_path / "KMNIST" / "raw"
    inner.mkdir(parents=True)
    for name in FILES.names:
        (small / name).rename(inner / name)
    assert len(KMNIST(root=str(tmp_path), val_size=10).load().train) == 30


def test_a_label_above_nine_is_a_data_error(small, idx):
    (small / FILES.test[1]).write_bytes(idx(torch.full((10,), 10, dtype=torch.uint8)))
    with pytest.raises(DataError, match="the labels of kmnist are 10 … 10, expected 0 … 9"):
        KMNIST(root=str(small), val_size=10).load()


def test_without_the_files_three_ways_to_have_them_are_said(tmp_path):
    with pytest.raises(StorageError, match="kmnist is not here"):
        KMNIST(root=str(tmp_path)).load()


def test_every_published_file_is_known_by_a_digest():
    assert sorted(FILES.packed) == sorted(f"{name}.gz" for name in FILES.names)
    assert {file.name: file.digest for file in KMNIST.published.files} == FILES.packed


def test_a_val_size_out_of_range_is_refused_before_loading():
    with pytest.raises(ValueError, match="val_size must be in 1 … 59999, got 0"):
        KMNIST(val_size=0)
