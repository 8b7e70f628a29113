"""Rotations and translations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.spatial import RandomMove, Spatial, moved
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def same(value: float) -> Tensor:
    return torch.full((2,), value)


def test_a_quarter_turn_is_exact_and_anticlockwise() -> None:
    torch.testing.assert_close(moved(IMAGES, same(90.0), same(0.0), same(0.0)), IMAGES.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_a_shift_by_whole_pixels_is_exact_and_brings_black_in() -> None:
    expected = torch.zeros_like(IMAGES)
    expected[:, :, 2:, 1:] = IMAGES[:, :, :-2, :-1]
    torch.testing.assert_close(moved(IMAGES, same(0.0), same(1 / 8), same(2 / 8)), expected, atol=1e-5, rtol=0)


def test_it_turns_first_and_shifts_then() -> None:
    turned = moved(IMAGES, same(90.0), same(0.0), same(0.0))
    expected = moved(turned, same(0.0), same(1 / 8), same(0.0))
    torch.testing.assert_close(moved(IMAGES, same(90.0), same(1 / 8), same(0.0)), expected, atol=1e-5, rtol=0)


def test_angles_are_between_pixels_also_where_images_are_not_square() -> None:
    # A square of pixels in the middle of a wide image turns as it does in a square one.
    wide = torch.zeros(2, 3, 8, 20)
    wide[:, :, :, 6:14] = IMAGES
    turned = moved(wide, same(90.0), same(0.0), same(0.0))
    torch.testing.assert_close(turned[:, :, :, 6:14], IMAGES.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_turning_agrees_with_torchvision() -> None:
    functional = pytest.importorskip("torchvision.transforms.functional")
    bilinear = functional.InterpolationMode.BILINEAR
    images = torch.rand(1, 1, 9, 13, generator=torch.Generator().manual_seed(1))
    for angle, right, down in [(30.0, 2, 0), (-17.0, 0, 1), (5.0, -1, 2)]:
        # Its angles are clockwise.
        expected = functional.affine(images, -angle, [right, down], 1.0, [0.0, 0.0], interpolation=bilinear)
        own = moved(images, torch.tensor([angle]), torch.tensor([right / 13]), torch.tensor([down / 9]))
        torch.testing.assert_close(own, expected, atol=1e-4, rtol=0)


def test_each_image_moves_by_its_own() -> None:
    together = moved(IMAGES, torch.tensor([10.0, -20.0]), torch.tensor([0.0, 0.1]), torch.tensor([0.05, 0.0]))
    alone = moved(IMAGES[1:], torch.tensor([-20.0]), torch.tensor([0.1]), torch.tensor([0.0]))
    torch.testing.assert_close(together[1:], alone)


class Corner(nn.Module):
    """Class 0 where the pixel at the upper left is bright, and how bright it is; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.asked.append(images)
        corner = images[:, 0, 0, 0]
        return torch.stack([corner, torch.full_like(corner, 0.5)], dim=1)


def corner_images() -> Tensor:
    images = torch.zeros(3, 1, 9, 9)
    images[0, 0, 0, 0] = 1  # one bright pixel
    images[1] = 1  # bright everywhere
    images[2] = 1
    return images


def test_the_grid_is_all_of_it_and_what_is_fooled_leaves() -> None:
    model = Corner()
    attack = Spatial(rotations=3, translations=2, rotation=1.0, translation=0.0)
    attack(model, corner_images(), torch.tensor([0, 0, 0]))
    # Nothing is fooled by a turn of one degree but the lone pixel, if at all; the clean images, then 3 x 2 x 2 moves.
    assert len(model.asked) == 1 + 12


def test_it_finds_the_shift_that_fools() -> None:
    attack = Spatial(rotation=0.0, rotations=1, translation=1 / 9, translations=3)
    found = attack(Corner(), corner_images(), torch.tensor([0, 0, 0]))
    torch.testing.assert_close(found[:, 0, 0, 0], torch.zeros(3))  # black comes in from outside


def test_what_is_not_fooled_comes_back_as_the_worst_that_was_tried() -> None:
    # A quarter of a pixel right and down leaves (3/4)² of a bright corner, which is above the bound, and no shift leaves less.
    attack = Spatial(rotation=0.0, rotations=1, translation=1 / 36, translations=3)
    found = attack(Corner(), corner_images()[1:], torch.tensor([0, 0]))
    torch.testing.assert_close(found[:, 0, 0, 0], torch.full((2,), 0.5625))


def test_random_moves_belong_to_the_example() -> None:
    attack = Spatial(search="random", samples=2)
    keys, model = SampleKeys(1, torch.arange(3)), Corner()
    attack(model, corner_images(), torch.tensor([0, 0, 0]), rng=keys)
    again = Corner()
    attack(again, corner_images()[2:], torch.tensor([0]), rng=keys.take(torch.tensor([2])))
    torch.testing.assert_close(model.asked[1][-1], again.asked[1][-1])
    assert not torch.equal(model.asked[1][1], model.asked[1][2])


def test_the_null_moves_every_image_once_within_the_range_and_asks_nobody() -> None:
    spots = torch.zeros(200, 1, 21, 21)
    spots[:, 0, 10, 10] = 1
    model, targets, keys = Corner(), torch.zeros(200, dtype=torch.long), SampleKeys(2, torch.arange(200))
    shifted = RandomMove(rotation=0.0, translation=0.2)(model, spots, targets, rng=keys)
    assert model.asked == []
    places = torch.arange(21.0) - 10
    mean = (shifted[:, 0] * places).sum(dim=(1, 2)) / shifted.sum(dim=(1, 2, 3))
    assert mean.abs().max() <= 0.2 * 21 + 1e-4
    assert mean.abs().max() > 0.19 * 21
    part = RandomMove(rotation=0.0, translation=0.2)(model, spots[:3], targets[:3], rng=keys.take(torch.tensor([5, 7, 9])))
    torch.testing.assert_close(part, shifted[[5, 7, 9]])


def test_its_threat_has_no_ball() -> None:
    assert Spatial().threat == Threat("spatial", None)


def test_tables_cannot_be_turned() -> None:
    with pytest.raises(ValueError, match=r"spatial moves images \(N, C, H, W\), got \(2, 3\)"):
        Spatial()(nn.Linear(3, 2), torch.zeros(2, 3), torch.zeros(2, dtype=torch.long))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rotation": -1.0}, "rotation must be in"),
        ({"rotation": 200.0}, "rotation must be in"),
        ({"translation": 3.0}, "translation must be in .* a share of the side, got 3.0"),
        ({"search": "both"}, "search must be"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"rotations": 0}, "rotations must be at least 1"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Spatial(**settings)
