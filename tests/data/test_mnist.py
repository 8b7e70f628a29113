import gzip
import shutil
import time

import pytest
import torch

from dlcli.data.idx import read_idx
from dlcli.data.mnist import MNIST, SHA256, SHIPPED
from dlcli.errors import DataError, StorageError


@pytest.fixture(scope="module")
def bundle():
    return MNIST().load()


def published(name: str) -> torch.Tensor:
    return read_idx(SHIPPED / f"{name}.gz", sha256=SHA256[name])


def test_the_sizes_are_those_published_less_the_holdout(bundle):
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (55_000, 5_000, 10_000)


def test_the_class_counts_are_those_of_the_published_train_labels(bundle):
    counts = bundle.train.targets.bincount() + bundle.val.targets.bincount()
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_val_has_the_class_shares_of_the_published_train_labels(bundle):
    shares = torch.tensor([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]) / 12
    assert (bundle.val.targets.bincount() - shares).abs().max() < 1


def test_train_and_val_together_are_the_published_train_images_each_once(bundle):
    weights = torch.rand(28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def fingerprints(images):
        return (images.reshape(-1, 28, 28).double() * weights).sum((1, 2))

    parts = torch.cat([fingerprints(bundle.train.inputs), fingerprints(bundle.val.inputs)])
    whole = fingerprints(published("train-images-idx3-ubyte"))
    assert torch.allclose(parts.sort().values, whole.sort().values, rtol=0, atol=1e-6)


def test_images_and_labels_stay_together(bundle):
    images, labels = published("train-images-idx3-ubyte"), published("train-labels-idx1-ubyte")
    nines = images[labels == 9].double().mean(0)
    found = torch.cat([split.inputs[split.targets == 9] for split in (bundle.train, bundle.val)])
    assert torch.allclose(found.double().mean(0)[0], nines)


def test_the_test_images_keep_the_published_order(bundle):
    assert torch.equal(bundle.test.inputs[:, 0], published("t10k-images-idx3-ubyte"))
    assert torch.equal(bundle.test.targets, published("t10k-labels-idx1-ubyte").long())


def test_mean_and_std_are_those_of_the_published_train_images(bundle):
    pixels = published("train-images-idx3-ubyte").double() / 255
    assert bundle.spec.mean[0] == pytest.approx(pixels.mean().item(), abs=5e-5)
    assert bundle.spec.std[0] == pytest.approx(pixels.std().item(), abs=5e-5)


def test_another_split_seed_moves_val_but_not_test(bundle):
    other = MNIST(split_seed=1).load()
    assert not torch.equal(other.val.inputs, bundle.val.inputs)
    assert torch.equal(other.test.inputs, bundle.test.inputs)


@pytest.mark.parametrize("layout", [".", "raw", "MNIST/raw"])
def test_root_may_be_a_flat_folder_or_torchvisions(tmp_path, bundle, layout):
    folder = tmp_path / layout
    folder.mkdir(parents=True, exist_ok=True)
    for name in SHA256:
        shutil.copy(SHIPPED / f"{name}.gz", folder)
    assert torch.equal(MNIST(root=str(tmp_path)).load().val.inputs, bundle.val.inputs)


def test_root_may_hold_plain_files(tmp_path, bundle):
    for name in SHA256:
        (tmp_path / name).write_bytes(gzip.decompress((SHIPPED / f"{name}.gz").read_bytes()))
    assert torch.equal(MNIST(root=str(tmp_path)).load().val.inputs, bundle.val.inputs)


def test_a_root_without_the_files_is_a_storage_error_with_a_way_out(tmp_path):
    with pytest.raises(StorageError, match="no train-images-idx3-ubyte") as caught:
        MNIST(root=str(tmp_path)).load()
    assert caught.value.hint is not None
    assert "data.root" in caught.value.hint


def test_the_files_of_another_set_are_a_data_error(tmp_path):
    for name in SHA256:
        shutil.copy(SHIPPED / "t10k-labels-idx1-ubyte.gz", tmp_path / f"{name}.gz")
    with pytest.raises(DataError, match="is not the published file"):
        MNIST(root=str(tmp_path)).load()


@pytest.mark.parametrize("size", [0, -1, 60_000])
def test_a_val_size_out_of_range_is_refused_before_loading(size):
    with pytest.raises(ValueError, match=f"val_size must be in 1 … 59999, got {size}"):
        MNIST(val_size=size)


def test_the_four_files_are_read_and_checked_in_a_fraction_of_a_second():
    times = []
    for _ in range(3):
        start = time.perf_counter()
        for name in SHA256:
            published(name)
        times.append(time.perf_counter() - start)
    # 0.24 s when quiet; the bound leaves room for a busy machine.
    assert min(times) < 1.0
