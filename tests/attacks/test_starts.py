"""Random starts: uniform in the ball, on its surface, or far from it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dlcli.attacks.balls import Norm, distance
from dlcli.attacks.starts import far_off, in_ball, on_sphere
from dlcli.randomness import SampleKeys

COUNT = 4000
KEYS = SampleKeys(0, torch.arange(COUNT))


def largest_gap(sample: Tensor) -> float:
    """The Kolmogorov-Smirnov distance of a sample to the uniform distribution on [0, 1]."""
    return float((sample.flatten().sort().values - torch.linspace(0, 1, sample.numel())).abs().max())


def test_in_linf_every_entry_is_uniform_up_to_the_radius() -> None:
    assert largest_gap((in_ball(KEYS, "test", 0, (2, 2), norm="linf", epsilon=0.2) / 0.2 + 1) / 2) < 1.63 / (4 * COUNT) ** 0.5


@pytest.mark.parametrize("shape", [(3,), (1, 3, 4)])
def test_in_l2_the_share_of_points_within_a_radius_is_that_of_the_volume(shape: tuple[int, ...]) -> None:
    radius = distance(in_ball(KEYS, "test", 0, shape, norm="l2", epsilon=0.2), "l2") / 0.2
    assert largest_gap(radius ** torch.Size(shape).numel()) < 1.63 / COUNT**0.5


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_start_on_the_sphere_is_as_far_away_as_the_radius(norm: Norm) -> None:
    size = distance(on_sphere(KEYS, "test", 0, (1, 3, 4), norm=norm, epsilon=0.2), norm)
    assert torch.allclose(size, torch.full((COUNT,), 0.2))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_the_sphere_no_direction_is_preferred(norm: Norm) -> None:
    drawn = on_sphere(KEYS, "test", 0, (3,), norm=norm, epsilon=0.2)
    assert (drawn.mean(dim=0) / (drawn.std(dim=0) / COUNT**0.5)).abs().max() < 4


@pytest.mark.parametrize("start", [in_ball, on_sphere])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_restart_draws_anew_and_every_example_for_itself(start: type, norm: Norm) -> None:
    first, second = (start(KEYS, "test", step, (3,), norm=norm, epsilon=0.2) for step in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(start(KEYS.take(torch.tensor([7, 3])), "test", 0, (3,), norm=norm, epsilon=0.2), first[[7, 3]])


@pytest.mark.parametrize(("attempt", "cell"), [(0, 1), (1, 2), (2, 4), (3, 8), (4, 9), (7, 4), (9, 9)])
def test_far_from_images_lie_cells_that_grow_from_attempt_to_attempt(attempt: int, cell: int) -> None:
    drawn = far_off(torch.zeros(50, 3, 9, 5), SampleKeys(0, torch.arange(50)), "test", attempt)
    assert drawn.shape == (50, 3, 9, 5)
    assert ((drawn >= 0) & (drawn <= 1)).all()
    corner = drawn[:, :, :cell, :cell]
    assert torch.equal(corner, corner[:, :, :1, :1].expand_as(corner))
    if cell < 9:
        assert not torch.equal(drawn[:, :, cell], drawn[:, :, cell - 1])
    assert (set(drawn.flatten().tolist()) == {0.0, 1.0}) == (attempt >= 5)


def test_far_from_rows_of_numbers_lie_steps_that_grow_from_attempt_to_attempt() -> None:
    inputs = torch.ones(COUNT, 3)
    sizes = [float((far_off(inputs, KEYS, "test", attempt) - inputs).square().mean().sqrt()) for attempt in (0, 4, 8, 16)]
    assert sizes == pytest.approx([1 / 16, 1, 16, 1 / 16], rel=0.05)
