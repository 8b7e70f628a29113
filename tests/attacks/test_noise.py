"""Noise: uniform in the ball, and the same for the same key."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.noise import Noise
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys

COUNT = 4000


def changes(norm: str, shape: tuple[int, ...]) -> Tensor:
    inputs = torch.full((COUNT, *shape), 0.5)
    return Noise(epsilon=0.2, norm=norm)(nn.Identity(), inputs, torch.zeros(COUNT).long()) - inputs


def largest_gap(sample: Tensor) -> float:
    """The Kolmogorov-Smirnov distance of a sample to the uniform distribution on [0, 1]."""
    return float((sample.flatten().sort().values - torch.linspace(0, 1, sample.numel())).abs().max())


def test_in_linf_every_pixel_is_uniform_up_to_the_radius() -> None:
    assert largest_gap((changes("linf", (1, 2, 2)) / 0.2 + 1) / 2) < 1.63 / (4 * COUNT) ** 0.5


@pytest.mark.parametrize("shape", [(3,), (1, 3, 4)])
def test_in_l2_the_share_of_points_within_a_radius_is_that_of_the_volume(shape: tuple[int, ...]) -> None:
    radius = changes("l2", shape).flatten(1).norm(dim=1) / 0.2
    assert largest_gap(radius ** torch.Size(shape).numel()) < 1.63 / COUNT**0.5


def test_in_l2_no_direction_is_preferred() -> None:
    standard_error = 0.2 / (5 * COUNT) ** 0.5
    assert changes("l2", (3,)).mean(dim=0).abs().max() < 4 * standard_error


def test_noise_belongs_to_the_example_and_not_to_its_place_in_the_batch() -> None:
    inputs, order = torch.rand(5, 1, 3, 3), torch.tensor([3, 0, 4, 1, 2])
    keys, noise = SampleKeys(7, torch.arange(100, 105)), Noise(epsilon=0.1)
    straight = noise(nn.Identity(), inputs, order, rng=keys)
    assert torch.equal(noise(nn.Identity(), inputs[order], order, rng=keys.take(order)), straight[order])


def test_another_seed_gives_other_noise() -> None:
    inputs = torch.full((1, 4), 0.5)
    first, second = (Noise(epsilon=0.1)(nn.Identity(), inputs, inputs, rng=SampleKeys(seed, torch.arange(1))) for seed in (0, 1))
    assert not torch.equal(first, second)


def test_the_threat_is_what_was_asked_for() -> None:
    assert Noise(epsilon=0.25, norm="l2").threat == Threat("l2", 0.25)


def test_a_negative_radius_is_refused() -> None:
    with pytest.raises(ValueError, match="epsilon must be finite and at least 0, got -1"):
        Noise(epsilon=-1)
