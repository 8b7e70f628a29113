import time

import pytest
import torch

from dlcli.data.cifar import CIFAR10, CIFAR10_FILES, CIFAR10_SPEC, CIFAR100, CIFAR100_FILES, CIFAR100_SPEC
from dlcli.data.splits import channel_statistics
from dlcli.errors import StorageError


@pytest.fixture(scope="module")
def bundle():
    try:
        return CIFAR10().load()
    except StorageError as error:
        pytest.skip(f"needs fetched data: {error.message}")


def test_the_sizes_and_the_class_counts_are_those_published(bundle):
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (45_000, 5_000, 10_000)
    assert bundle.train.targets.bincount().tolist() == [4_500] * 10
    assert bundle.val.targets.bincount().tolist() == [500] * 10
    assert bundle.test.targets.bincount().tolist() == [1_000] * 10


def test_the_first_test_images_are_the_ones_that_everybody_knows(bundle):
    names = [bundle.spec.classes[label] for label in bundle.test.targets[:5]]
    assert names == ["cat", "ship", "ship", "airplane", "frog"]


def test_the_channels_are_red_green_and_blue(bundle):
    # Ships and airplanes stand against blue, deer and frogs in green and brown.
    mean = {
        name: bundle.test.inputs[bundle.test.targets == number].float().mean((0, 2, 3))
        for number, name in enumerate(bundle.spec.classes)
    }
    for name in ("ship", "airplane"):
        assert mean[name].argmax() == 2
    for name in ("deer", "frog"):
        assert mean[name].argmin() == 2


def test_mean_and_std_are_those_of_the_published_train_images(bundle):
    mean, std = channel_statistics(torch.cat([bundle.train.inputs, bundle.val.inputs]))
    assert mean == pytest.approx(CIFAR10_SPEC.mean, abs=5e-5)
    assert std == pytest.approx(CIFAR10_SPEC.std, abs=5e-5)


def test_the_set_is_loaded_in_under_a_second_of_one_core(bundle):
    times = []
    for _ in range(2):
        start = time.process_time()
        CIFAR10().load()
        times.append(time.process_time() - start)
    # 0.5 s, the check of every byte included.
    assert min(times) < 1.0


def test_cifar100_has_its_hundred_classes_in_alphabetical_order():
    assert len(set(CIFAR100_SPEC.classes)) == 100
    assert list(CIFAR100_SPEC.classes) == sorted(CIFAR100_SPEC.classes)
    assert [CIFAR100_SPEC.classes[number] for number in (0, 49, 99)] == ["apple", "mountain", "worm"]


@pytest.mark.parametrize(("source", "files"), [(CIFAR10, CIFAR10_FILES), (CIFAR100, CIFAR100_FILES)])
def test_what_is_fetched_is_unpacked_to_where_it_is_looked_for(source, files):
    (archive,) = source.published.files
    assert archive.name == files.archive
    assert set(archive.kept) == {f"{files.folder}/{name}" for name in (*files.train, *files.test)}


@pytest.mark.parametrize(("files", "size"), [(CIFAR10_FILES, 60_000 * 3073), (CIFAR100_FILES, 60_000 * 3074)])
def test_the_records_are_those_of_60000_images(files, size):
    assert files.size == size


@pytest.mark.parametrize("source", [CIFAR10, CIFAR100])
def test_what_is_missing_or_out_of_range_is_said(source, tmp_path):
    with pytest.raises(StorageError, match=f"{source.published.name} is not here"):
        source(root=str(tmp_path)).load()
    with pytest.raises(ValueError, match="val_size must be in 1 … 49999, got 0"):
        source(val_size=0)


def test_the_radii_are_those_of_robustbench():
    assert CIFAR10_SPEC.epsilon == {"linf": 8 / 255, "l2": 0.5}
