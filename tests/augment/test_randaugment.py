"""RandAugment and TrivialAugment: what is drawn, and that each operation is that of torchvision's."""

import math

import pytest
import torch

from dlcli.augment.randaugment import (
    OPERATIONS,
    RANDAUGMENT,
    TRIVIAL,
    Choices,
    carry_out_,
    draw_randaugment,
    draw_trivial,
)
from dlcli.randomness import SampleKeys

SPACES = pytest.mark.parametrize(("ranges", "policy"), [(RANDAUGMENT, "RandAugment"), (TRIVIAL, "TrivialAugmentWide")])
NAMES = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "move_x": "TranslateX",
    "move_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "color": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
}


def keys(count: int) -> SampleKeys:
    return SampleKeys(0, torch.arange(count))


def images(count: int, size: int = 31) -> torch.Tensor:
    """Eight-bit images; none is pure white, which torchvision's weakest solarize inverts and the papers' does not."""
    return torch.randint(0, 255, (count, 3, size, size), generator=torch.Generator().manual_seed(0)) / 255


def torchvisions(policy: str, name: str, image: torch.Tensor, level: int, sign: int) -> torch.Tensor:
    """The operation ``name`` at one of 31 levels, by torchvision's own table and on eight bits where it computes on these."""
    from torchvision.transforms import v2

    transform = getattr(v2, policy)(interpolation=v2.InterpolationMode.BILINEAR)
    magnitudes, signed = transform._AUGMENTATION_SPACE[name]
    values = magnitudes(31, *image.shape[1:])
    magnitude = 0.0 if values is None else float(values[level]) * (sign if signed else 1)
    if name.startswith("Translate"):  # torchvision cuts off to whole pixels, which the papers do not
        shift = [magnitude, 0.0] if name == "TranslateX" else [0.0, magnitude]
        return v2.functional.affine(image, 0.0, shift, 1.0, [0.0, 0.0], v2.InterpolationMode.BILINEAR)
    if name == "Rotate":  # torchvision turns the other way
        magnitude = -magnitude
    eight_bit = name == "Posterize"
    given = (image * 255).round().to(torch.uint8) if eight_bit else image
    result = transform._apply_image_or_video_transform(given, name, magnitude, transform.interpolation, transform._fill)
    return result / 255 if eight_bit else result


@SPACES
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_at_each_strength_is_that_of_torchvision(ranges, policy, name):
    levels = [0, 1, 7, 15, 22, 29, 30]
    sign = [1, -1, 1, -1, 1, -1, 1]
    inputs = images(7)
    strengths = torch.tensor(sign)[:, None] * torch.tensor(levels)[:, None] / 30
    operations = torch.full((7, 1), OPERATIONS.index(name))
    result = carry_out_(inputs.clone(), Choices(operations, strengths), ranges)
    for row in range(7):
        expected = torchvisions(policy, NAMES[name], inputs[row], levels[row], sign[row])
        if name == "solarize":  # a threshold of 256 levels against one of 255: they differ for values right at it
            threshold = (1 - levels[row] / 30) * 255
            apart = (inputs[row] * 255 - threshold).abs() > 1.001
            torch.testing.assert_close(result[row][apart], expected[apart], rtol=0, atol=1e-6)
        else:
            torch.testing.assert_close(result[row], expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("name", OPERATIONS[:-2])
def test_an_operation_of_strength_zero_changes_nothing(name):
    inputs = torch.cat([images(3), torch.ones(1, 3, 31, 31)])
    choices = Choices(torch.full((4, 1), OPERATIONS.index(name)), torch.zeros(4, 1))
    torch.testing.assert_close(carry_out_(inputs.clone(), choices, RANDAUGMENT), inputs, rtol=0, atol=1e-5)


@SPACES
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_batch_of_many_choices_is_each_example_by_itself_one_operation_after_the_other(ranges, policy, memory_format):
    inputs = images(60, 16).contiguous(memory_format=memory_format)
    choices = draw_randaugment(keys(60), 3, operations=3, magnitude=20.0)
    result = carry_out_(inputs.clone(), choices, ranges)
    assert result.is_contiguous(memory_format=memory_format)
    assert torch.equal(inputs, images(60, 16))
    for row in range(60):
        alone = inputs[row : row + 1].clone()
        for layer in range(3):
            here = slice(layer, layer + 1)
            one = Choices(choices.operations[row : row + 1, here], choices.strengths[row : row + 1, here])
            alone = carry_out_(alone, one, ranges)
        assert torch.equal(result[row : row + 1], alone)


def test_randaugment_draws_every_operation_and_both_signs_equally_often_at_one_strength():
    choices = draw_randaugment(keys(7000), 1, operations=2, magnitude=12.0)
    assert choices.operations.shape == choices.strengths.shape == (7000, 2)
    # Binomial(14000, 1/14): standard deviation 31; five of them.
    assert (choices.operations.flatten().bincount(minlength=14) - 1000).abs().max() < 155
    torch.testing.assert_close(choices.strengths.abs(), torch.full((7000, 2), 0.4))
    assert abs((choices.strengths > 0).float().mean() - 0.5) < 5 * 0.5 / math.sqrt(14000)
    same = choices.operations[:, 0] == choices.operations[:, 1]
    assert abs(same.float().mean() - 1 / 14) < 5 * math.sqrt(1 / 14 * 13 / 14 / 7000)  # the two are drawn independently


def test_trivialaugment_draws_one_operation_of_31_equally_likely_strengths():
    choices = draw_trivial(keys(15_500), 1)
    assert choices.operations.shape == choices.strengths.shape == (15_500, 1)
    levels = (choices.strengths.abs() * 30).round().long().flatten()
    torch.testing.assert_close(choices.strengths.abs().flatten() * 30, levels.float())
    # Binomial(15500, 1/31): standard deviation 22; five of them.
    assert (levels.bincount(minlength=31) - 500).abs().max() < 110
    assert (choices.operations.flatten().bincount(minlength=14) - 15_500 / 14).abs().max() < 5 * 33
