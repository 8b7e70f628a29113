import pytest
import torch

from dlcli.contracts import DataSpec
from dlcli.data.splits import Labelled, bundle_of, channel_statistics, check_val_size
from dlcli.errors import DataError

SPEC = DataSpec(name="tiny", shape=(3, 4, 4), classes=("a", "b"), mean=(), std=(), epsilon={})


def labelled(count: int, *, seed: int = 0) -> Labelled:
    images = torch.randint(0, 256, (count, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    return Labelled(images, (torch.arange(count) % 2).to(torch.uint8))


def test_val_is_held_back_with_equal_shares_and_test_keeps_its_order():
    train, test = labelled(100), labelled(11, seed=1)
    bundle = bundle_of(SPEC, train, test, val_size=20, split_seed=0)
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (80, 20, 11)
    assert bundle.val.targets.bincount().tolist() == [10, 10]
    assert torch.equal(bundle.test.inputs, test.images)
    assert torch.equal(bundle.test.targets, test.labels.long())


def test_every_train_image_is_in_train_or_val_once_with_its_label():
    train = labelled(100)
    bundle = bundle_of(SPEC, train, labelled(4), val_size=20, split_seed=3)
    found = torch.cat([bundle.train.inputs, bundle.val.inputs]).flatten(1).numpy()
    targets = torch.cat([bundle.train.targets, bundle.val.targets]).tolist()
    pairs = sorted(zip((row.tobytes() for row in found), targets, strict=True))
    assert pairs == sorted(zip((row.tobytes() for row in train.images.flatten(1).numpy()), train.labels.tolist(), strict=True))


def test_the_index_counts_within_each_split():
    bundle = bundle_of(SPEC, labelled(100), labelled(4), val_size=20, split_seed=0)
    for split in (bundle.train, bundle.val, bundle.test):
        assert split.index.tolist() == list(range(len(split)))


def test_mean_and_std_are_measured_on_the_train_images_where_the_spec_has_none():
    train = labelled(100)
    bundle = bundle_of(SPEC, train, labelled(4), val_size=20, split_seed=0)
    pixels = train.images.double() / 255
    assert bundle.spec.mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), abs=1e-6)
    assert bundle.spec.std == pytest.approx(pixels.transpose(0, 1).flatten(1).std(1, correction=0).tolist(), abs=1e-6)


def test_mean_and_std_of_the_spec_stay():
    spec = DataSpec(name="tiny", shape=(3, 4, 4), classes=("a", "b"), mean=(0.5,) * 3, std=(0.25,) * 3, epsilon={})
    assert bundle_of(spec, labelled(10), labelled(4), val_size=2, split_seed=0).spec == spec


def test_statistics_of_a_worked_example():
    # Half black, half white in the first channel; one grey in the second.
    images = torch.tensor([[[[0, 255]], [[51, 51]]]], dtype=torch.uint8)
    assert channel_statistics(images) == ((0.5, 0.2), (0.5, 0.0))


def test_a_label_without_a_class_is_a_data_error():
    for label, said in ((2, "0 … 2"), (-1, "-1 … 1")):
        test = labelled(4)
        labels = test.labels.long()
        labels[0] = label
        with pytest.raises(DataError, match=f"the labels of tiny are {said}, expected 0 … 1"):
            bundle_of(SPEC, labelled(10), Labelled(test.images, labels), val_size=2, split_seed=0)


@pytest.mark.parametrize("size", [0, 10])
def test_a_val_size_that_leaves_nothing_is_refused(size):
    with pytest.raises(ValueError, match=f"val_size must be in 1 … 9, got {size}"):
        check_val_size(size, 10)
