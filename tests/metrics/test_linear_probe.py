"""A linear probe where classes lie apart, and where there is nothing to know."""

from __future__ import annotations

import pytest
import torch

from dlcli.metrics.linear_probe import linear_probe

TARGETS = torch.arange(200) % 2


def noise(size: int) -> torch.Tensor:
    return torch.randn(200, size, generator=torch.Generator().manual_seed(0))


def test_classes_that_a_plane_parts_are_known_and_a_scale_does_not_matter():
    features = noise(3) + 8 * TARGETS[:, None]
    found = linear_probe(features, TARGETS, fitted=100)
    assert (found.value, found.n, found.method) == (1.0, 100, "wilson")
    assert linear_probe(1e4 * features, TARGETS, fitted=100).value == 1.0


def test_noise_is_chance_within_the_interval():
    found = linear_probe(noise(3), TARGETS, fitted=100)
    assert found.low < 0.5 < found.high


def test_what_no_plane_parts_is_not_known():
    signs = noise(2).sign()
    crossed = (signs[:, 0] * signs[:, 1] > 0).long()
    assert linear_probe(signs, crossed, fitted=100).value < 0.75


def test_a_feature_that_never_varies_is_no_harm():
    features = torch.cat([noise(1) + 8 * TARGETS[:, None], torch.ones(200, 1)], dim=1)
    assert linear_probe(features, TARGETS, fitted=100).value == 1.0


@pytest.mark.parametrize("fitted", [0, 200])
def test_an_empty_part_is_refused(fitted):
    with pytest.raises(ValueError, match="1 … 199"):
        linear_probe(noise(2), TARGETS, fitted=fitted)
