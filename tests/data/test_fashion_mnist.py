import time

import pytest
import torch

from dlcli.data.fashion_mnist import FILES, SPEC, FashionMNIST
from dlcli.data.splits import channel_statistics
from dlcli.errors import StorageError


@pytest.fixture(scope="module")
def bundle():
    try:
        return FashionMNIST().load()
    except StorageError as error:
        pytest.skip(f"needs fetched data: {error.message}")


def test_the_sizes_and_the_class_counts_are_those_published(bundle):
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (55_000, 5_000, 10_000)
    assert bundle.train.targets.bincount().tolist() == [5_500] * 10
    assert bundle.val.targets.bincount().tolist() == [500] * 10
    assert bundle.test.targets.bincount().tolist() == [1_000] * 10


def test_the_first_test_images_are_the_ones_that_everybody_knows(bundle):
    names = [bundle.spec.classes[label] for label in bundle.test.targets[:5]]
    assert names == ["Ankle boot", "Pullover", "Trouser", "Trouser", "Shirt"]


def test_mean_and_std_are_those_of_the_published_train_images(bundle):
    mean, std = channel_statistics(torch.cat([bundle.train.inputs, bundle.val.inputs]))
    assert mean == pytest.approx(SPEC.mean, abs=5e-5)
    assert std == pytest.approx(SPEC.std, abs=5e-5)


def test_the_set_is_loaded_in_well_under_a_second(bundle):
    times = []
    for _ in range(2):
        start = time.perf_counter()
        FashionMNIST().load()
        times.append(time.perf_counter() - start)
    # 0.16 s from plain files when quiet; the bound leaves room for .gz and a busy machine.
    assert min(times) < 1.5


def test_without_the_files_three_ways_to_have_them_are_said(tmp_path):
    with pytest.raises(StorageError, match=r"fashion_mnist is not here: .* 30\.9 MB to download in all") as caught:
        FashionMNIST(root=str(tmp_path)).load()
    assert f"dl fetch fashion_mnist --to {tmp_path}" in caught.value.hint


def test_all_four_files_can_be_fetched():
    assert [file.name for file in FashionMNIST.published.files] == [f"{name}.gz" for name in FILES.names]


def test_a_val_size_out_of_range_is_refused_before_loading():
    with pytest.raises(ValueError, match="val_size must be in 1 … 59999, got 60000"):
        FashionMNIST(val_size=60_000)
