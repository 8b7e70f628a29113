import math

import pytest
import torch

from dlcli.data.hog import MNISTHog, feature_names, hog


def ramp(degrees: float, size: int = 8) -> torch.Tensor:
    """An image whose brightness rises evenly in one direction, (1, size, size)."""
    angle = math.radians(degrees)
    down, across = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    return (across * math.cos(angle) + down * math.sin(angle))[None] / size


def by_hand(images: torch.Tensor, cell: int, orientations: int) -> torch.Tensor:
    """The definition, pixel by pixel."""
    features = []
    for image in images.double():
        size = len(image)
        cells = torch.zeros(size // cell, size // cell, orientations, dtype=torch.float64)
        for row in range(size):
            for column in range(size):
                across = image[row, min(column + 1, size - 1)] - image[row, max(column - 1, 0)]
                down = image[min(row + 1, size - 1), column] - image[max(row - 1, 0), column]
                degrees = math.degrees(math.atan2(down, across)) % 180
                place = degrees * orientations / 180 - 0.5
                for bin, share in ((math.floor(place), 1 - place % 1), (math.floor(place) + 1, place % 1)):
                    cells[row // cell, column // cell, bin % orientations] += share * math.hypot(across, down)
        for row in range(len(cells) - 1):
            for column in range(len(cells) - 1):
                block = cells[row : row + 2, column : column + 2].flatten()
                block = (block / block.norm().clamp_min(1e-6)).clamp_max(0.2)
                features.append(block / block.norm().clamp_min(1e-6))
    return torch.cat(features).reshape(len(images), -1)


@pytest.mark.parametrize(("size", "cell", "orientations"), [(8, 4, 9), (12, 4, 6), (14, 7, 9)])
def test_the_features_are_those_of_the_definition(size, cell, orientations):
    images = torch.rand(2, size, size, generator=torch.Generator().manual_seed(size))
    images[:, :3] = 0  # pixels without a gradient
    assert torch.allclose(
        hog(images, cell=cell, orientations=orientations).double(), by_hand(images, cell, orientations), atol=1e-5
    )


@pytest.mark.parametrize(("degrees", "bins"), [(10, {0}), (90, {4}), (170, {8}), (0, {0, 8}), (40, {1, 2}), (190, {0})])
def test_a_ramp_votes_for_its_own_direction_and_a_sign_does_not_matter(degrees, bins):
    # The outermost pixels see one neighbour only and so another direction: the inner cells of a larger image do not.
    features = hog(ramp(degrees, 32), cell=8, orientations=9).reshape(3, 3, 4, 9)[1, 1]
    found = features.amax(dim=0) > 1e-3
    assert set(found.nonzero().flatten().tolist()) == bins


def test_contrast_does_not_matter_and_an_empty_image_has_no_features():
    images = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(hog(images, cell=4, orientations=9), hog(images * 0.1 + 0.5, cell=4, orientations=9), atol=1e-4)
    assert not hog(torch.full((1, 8, 8), 0.7), cell=4, orientations=9).any()


def test_every_feature_has_a_name_of_its_own():
    names = feature_names(28, cell=7, orientations=9)
    assert len(set(names)) == len(names) == hog(torch.rand(1, 28, 28), cell=7, orientations=9).shape[1] == 324
    assert names[0] == "block 0,0 upper left 10°"
    assert names[-1] == "block 2,2 lower right 170°"


@pytest.fixture(scope="module")
def bundle():
    return MNISTHog(orientations=4).load()


def test_mnist_becomes_a_table_in_the_parts_of_mnist(bundle):
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (55_000, 5_000, 10_000)
    assert (bundle.spec.kind, bundle.spec.shape) == ("table", (9 * 4 * 4,))
    assert bundle.train.inputs.min() >= 0
    assert bundle.train.inputs.max() <= 1


def test_mean_spread_and_range_are_those_of_train(bundle):
    inputs = bundle.train.inputs[:, 20].double()
    assert bundle.spec.mean[20] == pytest.approx(float(inputs.mean()), abs=1e-5)
    assert bundle.spec.std[20] == pytest.approx(float(inputs.std(correction=0)), abs=1e-4)
    assert bundle.spec.columns[20].high == pytest.approx(float(inputs.max()))


def test_the_features_tell_ones_from_zeros_by_their_class_means_alone(bundle):
    train, test = bundle.train, bundle.test
    means = torch.stack([train.inputs[train.targets == digit].mean(dim=0) for digit in range(10)])
    nearest = torch.cdist(test.inputs, means).argmin(dim=1)
    assert float((nearest == test.targets).float().mean()) > 0.86  # on pixels the nearest class mean is right for 82 %


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": 5}, "cell must be 4, 7 or 14 pixels, got 5"),
        ({"orientations": 1}, "orientations must be at least 2"),
        ({"val_size": 0}, "val_size must be in"),
    ],
)
def test_a_value_out_of_range_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MNISTHog(**options)
