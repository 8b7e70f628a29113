import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from dlcli.report.images import difference_colors, heat_colors, letterboxed, overlay, png_bytes, tile, to_uint8, unit_maps


def decoded(png):
    return torch.from_numpy(np.asarray(Image.open(io.BytesIO(png))).copy())


def noise(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_levels_are_rounded_to_the_nearest():
    values = torch.tensor([0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1.0]).reshape(1, 1, 1, 5)
    assert to_uint8(values)[0, 0, :, 0].tolist() == [0, 0, 1, 254, 255]


def test_every_level_survives_the_way_to_float_and_back():
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8((levels.float() / 255).reshape(1, 1, 16, 16))[0, ..., 0].flatten(), levels)


def test_grey_becomes_three_equal_channels():
    shown = to_uint8(torch.rand(2, 1, 4, 5))
    assert shown.shape == (2, 4, 5, 3)
    assert torch.equal(shown[..., 0], shown[..., 1])
    assert torch.equal(shown[..., 0], shown[..., 2])


def test_channels_come_last():
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1)
    assert to_uint8(red).tolist() == [[[[255, 0, 0]]]]


def test_values_outside_the_range_are_clamped_and_nan_is_black():
    values = torch.tensor([-1.0, 2.0, math.nan, math.inf]).reshape(1, 1, 1, 4)
    assert to_uint8(values)[0, 0, :, 0].tolist() == [0, 255, 0, 255]


@pytest.mark.parametrize("shape", [(2, 2, 4, 4), (3, 4, 4), (1, 4, 8, 8)])
def test_other_shapes_are_no_images(shape):
    with pytest.raises(ValueError, match="images must be"):
        to_uint8(torch.zeros(shape))


def test_heat_rises_in_lightness_all_the_way():
    colors = heat_colors(torch.linspace(0, 1, 256)).float() / 255
    linear = torch.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    luminance = linear @ torch.tensor([0.2126, 0.7152, 0.0722])
    assert bool((luminance[8:] > luminance[:-8]).all())


def test_heat_of_zero_is_black_and_of_nan_too():
    assert heat_colors(torch.tensor([0.0, math.nan, -3.0])).tolist() == [[0, 0, 4]] * 3


def test_heat_keeps_the_shape_of_the_maps():
    assert heat_colors(torch.rand(2, 5, 6)).shape == (2, 5, 6, 3)


def test_each_map_is_scaled_by_its_own_largest_value():
    maps = torch.tensor([[[0.0, 2.0], [4.0, -9.0]], [[1e-30, 0.0], [5e-31, 0.0]]])
    assert torch.allclose(unit_maps(maps), torch.tensor([[[0.0, 0.5], [1.0, 0.0]], [[1.0, 0.0], [0.5, 0.0]]]))


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, -math.inf, math.inf])
def test_a_map_without_evidence_leaves_the_image_unchanged(value):
    images = noise(2, 6, 6, 3)
    assert torch.equal(overlay(images, torch.full((2, 6, 6), value)), images)


def test_heat_shows_only_where_the_map_is_positive():
    images, maps = noise(1, 4, 4, 3), torch.zeros(1, 4, 4)
    maps[0, 1, 2], maps[0, 3, 3] = 0.3, -5.0
    changed = (overlay(images, maps) != images).any(dim=-1)
    assert changed.nonzero().tolist() == [[0, 1, 2]]


def test_alpha_is_the_opacity_at_the_peak():
    black, maps = torch.zeros(1, 1, 1, 3, dtype=torch.uint8), torch.ones(1, 1, 1)
    half, full = overlay(black, maps, alpha=0.5), overlay(black, maps, alpha=1.0)
    assert torch.allclose(half.float() * 2, full.float(), atol=1)
    assert torch.equal(overlay(black, maps, alpha=0.0), black)


def test_maps_of_another_size_are_refused():
    with pytest.raises(ValueError, match="expected images"):
        overlay(noise(1, 4, 4, 3), torch.zeros(1, 5, 4))


def test_alpha_outside_the_unit_interval_is_refused():
    with pytest.raises(ValueError, match="alpha must lie"):
        overlay(noise(1, 4, 4, 3), torch.zeros(1, 4, 4), alpha=1.5)


def test_tiles_lie_row_by_row_with_white_gaps():
    images = torch.stack([torch.full((2, 3, 3), value, dtype=torch.uint8) for value in (10, 20, 30)])
    grid = tile(images, 2, gap=1)
    assert grid.shape == (5, 7, 3)
    assert grid[:, :, 0].tolist() == [
        [10, 10, 10, 255, 20, 20, 20],
        [10, 10, 10, 255, 20, 20, 20],
        [255] * 7,
        [30, 30, 30, 255, 255, 255, 255],
        [30, 30, 30, 255, 255, 255, 255],
    ]


def test_a_grid_is_no_wider_than_its_images():
    assert tile(noise(2, 4, 4, 3), 8, gap=2).shape == (4, 10, 3)


def test_no_images_make_no_grid():
    with pytest.raises(ValueError, match="expected images"):
        tile(noise(0, 4, 4, 3), 2)


def test_png_holds_the_same_pixels():
    image = noise(5, 7, 3)
    assert torch.equal(decoded(png_bytes(image)), image)


def test_scaled_png_repeats_each_pixel():
    image = noise(2, 3, 3)
    shown = decoded(png_bytes(image, scale=4))
    assert shown.shape == (8, 12, 3)
    assert torch.equal(shown[::4, ::4], image)
    assert torch.equal(shown[3::4, 3::4], image)


def test_png_holds_no_metadata():
    chunks = png_bytes(noise(4, 4, 3))
    assert not any(name in chunks for name in (b"tEXt", b"tIME", b"iTXt", b"eXIf"))


def test_scale_below_one_is_refused():
    with pytest.raises(ValueError, match="scale must be at least 1"):
        png_bytes(noise(2, 2, 3), scale=0)


def test_a_letterbox_holds_the_whole_image_in_a_grey_square():
    wide = torch.zeros(10, 20, 3, dtype=torch.uint8)
    square = letterboxed(wide, 40)
    assert tuple(square.shape) == (40, 40, 3)
    assert bool((square[10:30] == 0).all())
    assert bool((square[:10] == 128).all())


def test_a_letterbox_averages_a_larger_image_down():
    checks = (torch.arange(8)[:, None] + torch.arange(8)) % 2 * 254
    small = letterboxed(checks.to(torch.uint8)[..., None].expand(-1, -1, 3), 4)
    assert bool((small == 127).all())


def test_a_letterbox_without_a_side_is_refused():
    with pytest.raises(ValueError, match="side must be at least 1"):
        letterboxed(torch.zeros(2, 2, 3, dtype=torch.uint8), 0)


def test_a_difference_is_white_at_zero_red_above_and_blue_below() -> None:
    maps = torch.zeros(2, 2, 2)
    maps[0, 0, 0], maps[0, 1, 1] = 2.0, -2.0
    colors = difference_colors(maps)
    assert colors.dtype == torch.uint8
    assert colors[0, 0, 1].tolist() == [255, 255, 255]
    red, blue = colors[0, 0, 0].tolist(), colors[0, 1, 1].tolist()
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert (colors[1] == 255).all()
