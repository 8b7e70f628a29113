"""Flips."""

import pytest
import torch

from dlcli.augment.flip import _flip_without_waiting_, draw_flips, flip_
from dlcli.randomness import SampleKeys

BOTH = pytest.mark.parametrize("way", [flip_, _flip_without_waiting_], ids=["cpu", "accelerators"])


def images(memory_format: torch.memory_format = torch.contiguous_format) -> torch.Tensor:
    return torch.rand(12, 3, 5, 6, generator=torch.Generator().manual_seed(0)).contiguous(memory_format=memory_format)


@BOTH
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_chosen_are_mirrored_and_the_others_stay(way, memory_format):
    inputs, chosen = images(memory_format), torch.arange(12) % 3 == 0
    expected = torch.stack(
        [image[:, :, [5, 4, 3, 2, 1, 0]] if mirrored else image for image, mirrored in zip(inputs, chosen.tolist(), strict=True)]
    )
    result = way(inputs, chosen)
    assert result is inputs
    assert torch.equal(result, expected)


@BOTH
def test_flipping_twice_changes_nothing(way):
    chosen = draw_flips(SampleKeys(0, torch.arange(12)), 3, 0.5)
    assert 0 < chosen.sum() < 12
    assert torch.equal(way(way(images(), chosen), chosen), images())


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_the_probability_is_that_of_a_flip(probability):
    share = draw_flips(SampleKeys(0, torch.arange(10_000)), 0, probability).float().mean()
    # Binomial: standard deviation of the share at most 0.0044; five of them, and none at 0 and 1.
    assert abs(share - probability) <= 5 * (probability * (1 - probability) / 10_000) ** 0.5
