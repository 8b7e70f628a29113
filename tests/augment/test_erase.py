"""Holes: as many pixels as the definition says, where it says, and nothing else."""

import pytest
import torch

from dlcli.augment.erase import AREA, RATIO, _erase_without_waiting_, cutout_, draw_holes, draw_middles, erase_
from dlcli.randomness import SampleKeys

FORMATS = pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])


def images(count: int, memory_format: torch.memory_format = torch.contiguous_format) -> torch.Tensor:
    inputs = torch.rand(count, 3, 9, 11, generator=torch.Generator().manual_seed(0)) + 0.01
    return inputs.contiguous(memory_format=memory_format)


def keys(count: int) -> SampleKeys:
    return SampleKeys(0, torch.arange(count))


@FORMATS
@pytest.mark.parametrize("side", [1, 4, 5, 30])
def test_cutout_zeroes_exactly_the_pixels_of_the_square_that_lie_in_the_image(memory_format, side):
    inputs, middles = images(60, memory_format), draw_middles(keys(60), 5, (9, 11))
    before = inputs.clone()
    result = cutout_(inputs, middles, side=side, value=torch.zeros(3))
    assert result is inputs
    for image, old, (row, column) in zip(result, before, middles.tolist(), strict=True):
        rows = slice(max(row - side // 2, 0), min(row - side // 2 + side, 9))
        columns = slice(max(column - side // 2, 0), min(column - side // 2 + side, 11))
        count = (rows.stop - rows.start) * (columns.stop - columns.start)
        assert (image == 0).sum() == 3 * count
        assert not image[:, rows, columns].any()
        image[:, rows, columns] = old[:, rows, columns]
        assert torch.equal(image, old)


def test_cutout_fills_each_channel_with_its_value():
    value = torch.tensor([0.1, 0.2, 0.3])
    result = cutout_(images(2), torch.tensor([[4, 5], [0, 0]]), side=2, value=value)
    assert torch.equal(result[0, :, 3:5, 4:6], value[:, None, None].expand(3, 2, 2))
    assert torch.equal(result[1, :, 0, 0], value)


def test_the_middle_of_a_square_is_any_pixel_equally_often():
    row, column = draw_middles(keys(9000), 0, (3, 3)).unbind(1)
    # Binomial(9000, 1/9): standard deviation 30; five of them.
    assert ((row * 3 + column).bincount(minlength=9) - 1000).abs().max() < 150


@pytest.mark.parametrize("way", [erase_, _erase_without_waiting_], ids=["cpu", "accelerators"])
@FORMATS
def test_erasing_is_that_of_torchvision_at_the_same_box(memory_format, way):
    from torchvision.transforms.v2 import functional

    inputs, value = images(50, memory_format), torch.tensor([0.1, 0.2, 0.3])
    boxes = draw_holes(keys(50), 2, probability=0.7, size=(9, 11))
    assert 0 < (boxes[:, 2] == 0).sum() < 50
    before = inputs.clone()
    result = way(inputs, boxes, value=value)
    assert result is inputs
    for image, ours, (top, left, height, width) in zip(before, result, boxes.tolist(), strict=True):
        assert torch.equal(ours, functional.erase(image, top, left, height, width, value[:, None, None]))


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_holes_are_as_frequent_and_as_large_as_asked(probability):
    _, _, height, width = draw_holes(keys(5000), 1, probability=probability, size=(100, 100)).unbind(1)
    spared = height == 0
    assert torch.equal(spared, width == 0)
    # Binomial: standard deviation of the share at most 0.0065; five of them, and none at 0 and 1. Nearly all boxes fit.
    assert abs((~spared).float().mean() - probability) <= 5 * (probability * (1 - probability) / 5000) ** 0.5 + 1e-3
    height, width = height[~spared], width[~spared]
    assert ((height + 0.5) * (width + 0.5) >= AREA[0] * 1e4).all() and ((height - 0.5) * (width - 0.5) <= AREA[1] * 1e4).all()
    assert ((width + 0.5) / (height - 0.5) >= RATIO[0]).all() and ((width - 0.5) / (height + 0.5) <= RATIO[1]).all()
