"""Affine maps against torchvision, and against what can be worked out by hand."""

import math

import pytest
import torch

from dlcli.augment.affine import draw_maps, format_of, inverse_maps, sample, warp
from dlcli.randomness import SampleKeys


def images(count: int, height: int = 13, width: int = 18) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_every_part_and_their_composition_are_those_of_torchvision():
    from torchvision.transforms.v2 import InterpolationMode, functional

    rng = SampleKeys(0, torch.arange(30))
    largest = {"angle": 170.0, "right": 5.0, "down": 5.0, "scale": 0.5, "x": 40.0, "y": 40.0}
    draw = {name: rng.uniform(name, 0, low=-most, high=most) for name, most in largest.items()}
    draw["scale"] += 1
    middle = (rng.uniform("mx", 0, low=-9.0, high=9.0), rng.uniform("my", 0, low=-6.0, high=6.0))
    maps = inverse_maps(
        angle=torch.deg2rad(draw["angle"]),
        right=draw["right"],
        down=draw["down"],
        scale=draw["scale"],
        shear_x=torch.deg2rad(draw["x"]).tan(),
        shear_y=torch.deg2rad(draw["y"]).tan(),
        middle=middle,
    )
    inputs = images(30)
    ours = warp(inputs, maps)
    for row in range(30):
        value = {name: float(values[row]) for name, values in draw.items()}
        theirs = functional.affine(
            inputs[row],
            angle=value["angle"],
            translate=[value["right"], value["down"]],
            scale=value["scale"],
            shear=[value["x"], value["y"]],
            center=[9.0 + float(middle[0][row]), 6.5 + float(middle[1][row])],
            interpolation=InterpolationMode.BILINEAR,
        )
        torch.testing.assert_close(ours[row], theirs, rtol=0, atol=1e-4)


def test_no_change_is_the_image_itself():
    torch.testing.assert_close(warp(images(3), inverse_maps(angle=torch.zeros(3))), images(3), rtol=0, atol=1e-5)


def test_a_quarter_turn_is_clockwise_and_loses_nothing():
    square = images(2, 9, 9)
    result = warp(square, inverse_maps(angle=torch.full((2,), math.pi / 2)))
    torch.testing.assert_close(result, square.rot90(-1, dims=(2, 3)), rtol=0, atol=1e-5)


def test_a_shift_by_whole_pixels_is_a_slice_and_black():
    zero = torch.zeros(2)
    result = warp(images(2), inverse_maps(angle=zero, right=zero + 4, down=zero - 3))
    torch.testing.assert_close(result[:, :, :-3, 4:], images(2)[:, :, 3:, :-4], rtol=0, atol=1e-5)
    assert result[:, :, -3:].abs().max() < 1e-5
    assert result[:, :, :, :4].abs().max() < 1e-5


def test_what_comes_in_from_outside_may_be_the_mirrored_image():
    zero = torch.zeros(2)
    result = warp(images(2), inverse_maps(angle=zero, right=zero + 4, down=zero - 3), outside="reflect")
    mirrored = torch.cat([images(2).flip(3), images(2)], dim=3)
    mirrored = torch.cat([mirrored, mirrored.flip(2)], dim=2)
    torch.testing.assert_close(result, mirrored[:, :, 3:16, 14:32], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [({"translate": 0.5}, 0.0, 0.5), ({"scale": 0.25}, 0.75, 1.25), ({"degrees": 60.0}, 0.0, 60.0), ({"shear": 30.0}, 0.0, 30.0)],
)
def test_draws_fill_their_range_and_stay_in_it(values, low, high):
    none = {"degrees": 0.0, "translate": 0.0, "scale": 0.0, "shear": 0.0}
    maps = draw_maps(SampleKeys(1, torch.arange(4000)), 0, size=(20, 40), **(none | values)).double()
    a, b, x, c, _, y = maps.flatten(1).unbind(1)
    (name,) = values
    found = {
        "translate": torch.cat([-x / 40, -y / 20]).abs(),
        "scale": 1 / a,
        "degrees": torch.rad2deg(torch.atan2(-c, a)).abs(),
        "shear": torch.rad2deg(torch.atan(b)).abs(),
    }[name]
    assert low - 1e-4 <= found.min() < low + 0.01 * (high - low)
    assert high + 1e-4 >= found.max() > high - 0.01 * (high - low)
    assert abs(found.mean() - (low + high) / 2) < 0.02 * (high - low)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_samples_are_those_of_grid_sample_at_the_sums_of_their_columns_and_rows(memory_format):
    inputs = images(4).contiguous(memory_format=memory_format)
    assert format_of(inputs) == memory_format
    rng = SampleKeys(0, torch.arange(4))
    columns, rows = (
        torch.view_as_complex(rng.uniform(name, 0, (size, 2), low=-0.6, high=0.6)) for name, size in (("x", 18), ("y", 13))
    )
    grid = torch.view_as_real(columns).unsqueeze(1) + torch.view_as_real(rows).unsqueeze(2)
    expected = torch.nn.functional.grid_sample(inputs, grid, align_corners=False)
    torch.testing.assert_close(sample(inputs, columns, rows), expected, rtol=0, atol=1e-6)
