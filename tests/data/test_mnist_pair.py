import pytest
import torch

from dlcli.data.mnist import MNIST
from dlcli.data.mnist_pair import COUNTS, MNISTPair


@pytest.fixture(scope="module")
def whole():
    return MNIST().load()


@pytest.fixture(scope="module")
def pair():
    return MNISTPair().load()


def test_the_counts_are_those_of_the_published_labels(whole):
    counts = whole.train.targets.bincount() + whole.val.targets.bincount()
    assert counts.tolist() == list(COUNTS)


def test_the_test_images_are_mnists_zeros_and_ones_in_their_order(whole, pair):
    kept = whole.test.targets < 2
    assert torch.equal(pair.test.inputs, whole.test.inputs[kept])
    assert torch.equal(pair.test.targets, whole.test.targets[kept])


def test_every_part_has_the_shares_of_the_published_labels(pair):
    assert (len(pair.train), len(pair.val), len(pair.test)) == (11_665, 1_000, 2_115)
    assert pair.val.targets.bincount().tolist() == [468, 532]


def test_other_digits_are_named_and_ordered_as_asked(whole):
    bundle = MNISTPair(negative=7, positive=3, val_size=100).load()
    assert (bundle.spec.name, bundle.spec.classes) == ("mnist_7_3", ("7", "3"))
    threes = whole.test.inputs[whole.test.targets == 3]
    assert torch.equal(bundle.test.inputs[bundle.test.targets == 1], threes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"negative": 10}, "negative must be a digit, 0 … 9, got 10"),
        ({"positive": -1}, "positive must be a digit, 0 … 9, got -1"),
        ({"negative": 1}, "positive must be another digit than negative, got 1 for both"),
        ({"val_size": 12_665}, "val_size must be in 1 … 12664, got 12665"),
    ],
)
def test_values_out_of_range_are_refused_before_loading(values, said):
    with pytest.raises(ValueError, match=said):
        MNISTPair(**values)
