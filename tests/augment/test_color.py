"""Colours against torchvision: each image of a batch by its own amount."""

import pytest
import torch

from dlcli.augment import color
from dlcli.randomness import SampleKeys

FORMATS = pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
CHANNELS = pytest.mark.parametrize("channels", [1, 3])


def images(channels: int = 3, memory_format: torch.memory_format = torch.contiguous_format) -> torch.Tensor:
    """Eight-bit images of several kinds: noise, dark, few values, one value, black, white."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (12, channels, 33, 47), generator=generator)
    noise[2:5] //= 3
    noise[5:7] = noise[5:7] // 64 * 50 + 20
    noise[7] = 99
    noise[8] = 0
    noise[9] = 255
    noise[10, :, :5] = 200
    return (noise / 255).contiguous(memory_format=memory_format)


def amounts(low: float, high: float) -> torch.Tensor:
    return SampleKeys(0, torch.arange(12)).uniform("x", 0, low=low, high=high)


@FORMATS
@CHANNELS
@pytest.mark.parametrize(("ours", "theirs"), [
    (color.brightness, "adjust_brightness"),
    (color.contrast, "adjust_contrast"),
    (color.saturation, "adjust_saturation"),
    (color.sharpness, "adjust_sharpness"),
    (color.solarize, "solarize"),
])  # fmt: skip
def test_each_image_is_changed_as_torchvision_does_it(ours, theirs, channels, memory_format):
    from torchvision.transforms.v2 import functional

    inputs, given = images(channels, memory_format), amounts(0.0, 1.0) if theirs == "solarize" else amounts(0.0, 2.0)
    result = ours(inputs, given)
    for image, changed, amount in zip(inputs, result, given.tolist(), strict=True):
        torch.testing.assert_close(changed, getattr(functional, theirs)(image, amount), rtol=0, atol=1e-5)
    assert torch.equal(inputs, images(channels))
    assert result.is_contiguous(memory_format=memory_format)


@FORMATS
@CHANNELS
@pytest.mark.parametrize(("ours", "theirs"), [(color.autocontrast, "autocontrast"), (color.equalize, "equalize")])
def test_contrast_without_an_amount_is_that_of_torchvision(ours, theirs, channels, memory_format):
    from torchvision.transforms.v2 import functional

    inputs = images(channels, memory_format)
    result = ours(inputs)
    for image, changed in zip(inputs, result, strict=True):
        torch.testing.assert_close(changed, getattr(functional, theirs)(image), rtol=0, atol=1e-6)
    assert torch.equal(inputs, images(channels))
    assert result.is_contiguous(memory_format=memory_format)


@CHANNELS
def test_equalized_eight_bit_images_are_those_of_pillow(channels):
    import numpy as np
    from PIL import Image, ImageOps

    for image, changed in zip(images(channels), color.equalize(images(channels)), strict=True):
        for plane, ours in zip(image, changed, strict=True):
            theirs = ImageOps.equalize(Image.fromarray((plane * 255).round().to(torch.uint8).numpy()))
            assert np.array_equal((ours * 255).round().to(torch.uint8).numpy(), np.asarray(theirs))


def test_posterized_images_are_those_of_torchvision_on_eight_bits():
    from torchvision.transforms.v2 import functional

    bits = torch.arange(12) % 9
    for image, changed, count in zip(images(), color.posterize(images(), bits.float()), bits.tolist(), strict=True):
        assert torch.equal(
            (changed * 255).round().to(torch.uint8), functional.posterize((image * 255).round().to(torch.uint8), count)
        )


@pytest.mark.parametrize("change", [color.brightness, color.contrast, color.saturation, color.sharpness])
def test_a_factor_of_one_changes_nothing(change):
    torch.testing.assert_close(change(images(), torch.ones(12)), images(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("channels", [2, 4])
def test_other_numbers_of_channels_have_their_mean_as_grey(channels):
    inputs = images(channels)
    torch.testing.assert_close(color.grey(inputs), inputs.mean(dim=1, keepdim=True))
    torch.testing.assert_close(color.saturation(inputs, torch.zeros(12)), color.grey(inputs).expand_as(inputs))


def test_images_too_small_for_a_blur_stay():
    inputs = images()[:, :, :2]
    assert torch.equal(color.sharpness(inputs, torch.full((12,), 1.9)), inputs)


@pytest.mark.parametrize("size", [(33, 47), (224, 224)])
def test_the_mean_grey_of_an_image_does_not_depend_on_its_batch(size):
    inputs = torch.rand(6, 1, *size, generator=torch.Generator().manual_seed(1))
    whole = color.contrast(inputs, torch.full((6,), 0.5))
    for row in range(6):
        assert torch.equal(color.contrast(inputs[row : row + 1], torch.full((1,), 0.5)), whole[row : row + 1])
