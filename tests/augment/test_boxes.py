"""Boxes: their sizes, shapes and places, and what filling them changes."""

import pytest
import torch

from dlcli.augment.boxes import draw_boxes, place, replace_inside
from dlcli.randomness import SampleKeys


def keys(count: int) -> SampleKeys:
    return SampleKeys(0, torch.arange(count))


def test_boxes_lie_in_the_image_and_keep_area_and_ratio_to_a_pixel():
    boxes, fitting = draw_boxes(keys(3000), "x", 1, area=(0.1, 0.5), ratio=(0.5, 2.0), size=(60, 80))
    top, left, height, width = boxes.unbind(1)
    assert fitting.all()
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + height <= 60).all() and (left + width <= 80).all()
    # Rounding moves each side by half a pixel at most.
    assert ((height - 0.5) * (width - 0.5) <= 0.5 * 4800).all()
    assert ((height + 0.5) * (width + 0.5) >= 0.1 * 4800).all()
    assert ((width - 0.5) / (height + 0.5) <= 2.0).all()
    assert ((width + 0.5) / (height - 0.5) >= 0.5).all()


def test_areas_are_uniform_and_ratios_uniform_in_their_logarithm():
    # Boxes that always fit, large enough for rounding not to matter.
    boxes, _ = draw_boxes(keys(4000), "x", 1, area=(0.05, 0.25), ratio=(0.5, 2.0), size=(1000, 1000))
    height, width = boxes[:, 2].double(), boxes[:, 3].double()
    from scipy.stats import kstest

    assert kstest((height * width / 1e6).numpy(), "uniform", args=(0.05, 0.2)).pvalue > 0.001
    assert kstest((width / height).log2().numpy(), "uniform", args=(-1.0, 2.0)).pvalue > 0.001


def test_what_never_fits_is_said_not_to():
    _, fitting = draw_boxes(keys(50), "x", 1, area=(0.9, 1.0), ratio=(1.0, 1.0001), size=(4, 100))
    assert not fitting.any()


def test_every_place_inside_is_equally_likely():
    sides = [torch.full((7000,), 3), torch.full((7000,), 5)]
    top, left = place(keys(7000), "x", 2, sides, (9, 5))
    counts = top.bincount()
    assert len(counts) == 7
    # Binomial(7000, 1/7): standard deviation 29; five of them.
    assert (counts - 1000).abs().max() < 150
    assert (left == 0).all()


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", ["images", "values"])
def test_only_pixels_inside_are_replaced(memory_format, kind):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(5, 3, 6, 7, generator=generator).contiguous(memory_format=memory_format)
    other = torch.rand(5, 3, 6, 7, generator=generator) if kind == "images" else torch.rand(1, 3, 1, 1, generator=generator)
    other = other.contiguous(memory_format=memory_format)
    boxes = torch.tensor([[0, 0, 6, 7], [2, 3, 2, 1], [1, 1, 0, 4], [-2, 5, 4, 9], [3, -9, 2, 3]])
    expected = images.clone()
    for image, new, (top, left, height, width) in zip(expected, other.expand(5, 3, 6, 7), boxes.tolist(), strict=True):
        for row in range(6):
            for column in range(7):
                if top <= row < top + height and left <= column < left + width:
                    image[:, row, column] = new[:, row, column]
    result = replace_inside(images, boxes, other)
    assert torch.equal(result, expected)
    assert result.is_contiguous(memory_format=memory_format)
