"""Crops: windows equal slices, and enlarged parts equal torchvision's."""

import pytest
import torch
from torch import nn

from dlcli.augment.crop import RATIO, draw_corners, draw_parts, padded_crop, resized_crop
from dlcli.randomness import SampleKeys

FORMATS = [torch.contiguous_format, torch.channels_last]


def images(count: int, channels: int = 3, height: int = 8, width: int = 7) -> torch.Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0))


def keys(count: int) -> SampleKeys:
    return SampleKeys(0, torch.arange(count))


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(("outside", "torchs"), [("zero", "constant"), ("reflect", "reflect")])
@pytest.mark.parametrize(("channels", "pixels"), [(1, 2), (3, 4), (5, 1)])
def test_a_padded_crop_is_a_slice_of_the_padded_image_at_its_keyed_corner(memory_format, outside, torchs, channels, pixels):
    inputs = images(30, channels).contiguous(memory_format=memory_format)
    corners = draw_corners(keys(30), 7, pixels)
    padded = nn.functional.pad(inputs, (pixels,) * 4, mode=torchs)
    expected = [image[:, top : top + 8, left : left + 7] for image, (top, left) in zip(padded, corners.tolist(), strict=True)]
    result = padded_crop(inputs, corners, pixels=pixels, outside=outside)
    assert torch.equal(result, torch.stack(expected))
    assert result.is_contiguous(memory_format=memory_format)


def test_a_window_in_the_middle_is_the_image_itself():
    inputs = images(4)
    assert torch.equal(padded_crop(inputs, torch.full((4, 2), 3), pixels=3, outside="zero"), inputs)


def test_every_corner_occurs_about_equally_often():
    corners = draw_corners(keys(9000), 0, 1)
    counts = (corners[:, 0] * 3 + corners[:, 1]).bincount(minlength=9)
    # Binomial(9000, 1/9): standard deviation 30; five of them.
    assert (counts - 1000).abs().max() < 150


@pytest.mark.parametrize("memory_format", FORMATS)
def test_an_enlarged_part_is_torchvisions_resized_crop(memory_format):
    from torchvision.transforms.v2 import functional

    inputs = images(40, 3, 24, 31).contiguous(memory_format=memory_format)
    boxes = draw_parts(keys(40), 3, smallest=0.08, size=(24, 31))
    result = resized_crop(inputs, boxes)
    for image, ours, (top, left, height, width) in zip(inputs, result, boxes.tolist(), strict=True):
        for antialias in (True, False):  # a part is never shrunk, so it makes no difference
            theirs = functional.resized_crop(image, top, left, height, width, [24, 31], antialias=antialias)
            torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-5)


def test_a_part_may_be_mirrored_on_the_way():
    mirrored, boxes = torch.arange(8) % 2 == 0, draw_parts(keys(8), 3, smallest=0.3, size=(8, 7))
    plain, result = resized_crop(images(8), boxes), resized_crop(images(8), boxes, mirrored=mirrored)
    assert torch.equal(result, torch.where(mirrored[:, None, None, None], plain.flip(3), plain))


def test_the_whole_image_as_its_part_stays_as_it_is():
    inputs = images(3)
    torch.testing.assert_close(resized_crop(inputs, torch.tensor([[0, 0, 8, 7]] * 3)), inputs, rtol=0, atol=1e-5)


def test_parts_have_the_asked_share_of_the_area_and_the_allowed_shape():
    _, _, height, width = draw_parts(keys(2000), 0, smallest=0.3, size=(200, 200)).unbind(1)
    assert ((height + 0.5) * (width + 0.5) >= 0.3 * 200**2).all()
    assert ((width - 0.5) / (height + 0.5) <= RATIO[1]).all()
    assert ((width + 0.5) / (height - 0.5) >= RATIO[0]).all()
    assert (height * width).float().std() > 0.1 * 200**2


@pytest.mark.parametrize(("size", "part"), [((6, 100), [0, 46, 6, 8]), ((100, 6), [46, 0, 8, 6])])
def test_in_an_image_that_is_too_long_the_part_is_the_largest_allowed_one_in_the_middle(size, part):
    assert draw_parts(keys(20), 0, smallest=0.9, size=size).tolist() == [part] * 20
