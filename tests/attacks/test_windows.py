"""Windows of Square attack: their schedule, places and patterns."""

from __future__ import annotations

import math

import pytest
import torch

from dlcli.attacks.windows import Windows, bumps, share_of_image, sides


def share(query: int, *, queries: int = 10000, rescale: bool = False) -> float:
    return share_of_image(query, initial=0.8, queries=queries, rescale=rescale)


def test_the_share_is_halved_nine_times_after_the_queries_of_the_paper() -> None:
    changes = [query for query in range(1, 10000) if share(query) != share(query - 1)]
    assert changes == [11, 51, 201, 501, 1001, 2001, 4001, 6001, 8001]
    assert share(0) == 0.8
    assert share(9999) == 0.8 / 512


def test_a_rescaled_schedule_runs_through_all_of_it_whatever_the_budget() -> None:
    assert share(499, queries=500, rescale=True) == share(9980)
    assert share(499, queries=500) == share(499)


@pytest.mark.parametrize(("covered", "side"), [(0.8, 25), (0.4, 18), (0.05, 6), (0.0001, 1)])
def test_a_window_is_a_square_of_that_share_of_the_pixels(covered: float, side: int) -> None:
    assert sides(covered, 28, 28, odd=False) == (side, side)


@pytest.mark.parametrize(("covered", "side"), [(0.4, 19), (0.05, 7), (0.0001, 3)])
def test_in_l2_it_is_odd_and_at_least_three(covered: float, side: int) -> None:
    assert sides(covered, 28, 28, odd=True) == (side, side)


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("image", [(1, 30), (30, 1), (4, 40), (2, 2), (1, 1), (7, 5)])
@pytest.mark.parametrize("covered", [1.0, 0.5, 0.01])
def test_a_window_fits_into_any_image(image: tuple[int, int], covered: float, odd: bool) -> None:
    tall, wide = sides(covered, *image, odd=odd)
    assert 1 <= tall <= image[0]
    assert 1 <= wide <= image[1]


def test_where_a_square_does_not_fit_a_strip_covers_the_share() -> None:
    assert sides(0.5, 1, 30, odd=False) == (1, 15)
    assert sides(0.5, 30, 1, odd=False) == (15, 1)
    assert sides(0.5, 4, 40, odd=False) == (4, 20)


def test_windows_reach_every_pixel_and_stay_inside() -> None:
    windows = Windows.drawn(torch.rand(2000, 2, generator=torch.Generator().manual_seed(0)), (6, 4), (3, 2))
    mask = windows.mask(6, 4)
    assert (mask.sum(dim=(1, 2, 3)) == 6).all()
    assert sorted(set(windows.top.tolist())) == [0, 1, 2, 3]
    assert sorted(set(windows.left.tolist())) == [0, 1, 2]
    assert mask.any(dim=0).all()


def test_the_pixels_of_windows_are_those_of_their_masks() -> None:
    windows = Windows.drawn(torch.rand(20, 2, generator=torch.Generator().manual_seed(0)), (6, 4), (3, 2))
    marked = torch.zeros(20, 1, 6, 4, dtype=torch.bool)
    images, rows, columns = windows.pixels()
    marked[images, :, rows, columns] = True
    assert torch.equal(marked, windows.mask(6, 4))


def test_a_window_never_leaves_the_image_however_close_to_one_the_draw() -> None:
    largest = 1 - 2**-24
    for size in range(1, 300):
        windows = Windows.drawn(torch.full((1, 2), largest), (size, size), (1, 1))
        assert windows.top.item() == size - 1


def test_a_pattern_is_placed_at_its_window() -> None:
    windows = Windows(torch.tensor([1, 0]), torch.tensor([0, 2]), 2, 3)
    pattern = torch.arange(1.0, 13.0).reshape(2, 2, 3)
    placed = windows.placed(pattern, 4, 5)
    assert torch.equal(placed[0, 0, 1:3, 0:3], pattern[0])
    assert torch.equal(placed[1, 0, 0:2, 2:5], pattern[1])
    assert (placed != 0).sum() == 12


@pytest.mark.parametrize("window", [(1, 1), (1, 6), (2, 2), (3, 3), (7, 7), (5, 3)])
def test_bumps_have_length_one(window: tuple[int, int]) -> None:
    assert torch.allclose(bumps(*window).norm(dim=(1, 2)), torch.ones(2))


def test_one_bump_is_above_and_the_other_below_or_side_by_side() -> None:
    upright, lying = bumps(7, 7)
    assert (upright[:3] > 0).all()
    assert (upright[3:] < 0).all()
    assert torch.allclose(lying, upright.T, atol=1e-6)


def test_a_bump_is_the_sum_of_the_papers_rectangles() -> None:
    # The lower half of a 3 x 3 window is 2 x 3 pixels with its centre at (1, 1).
    far, near = 1 / 4, 1 + 1 / 4
    lower = torch.tensor([[far, far, far], [far, near, far]])
    upright = bumps(3, 3)[0]
    assert torch.allclose(upright[1:] / upright[1:].norm(), -lower / lower.norm())
    assert upright[0].norm().item() == pytest.approx(math.sqrt(0.5))
