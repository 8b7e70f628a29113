"""Global importance against closed forms, and intervals against how often they hold the truth."""

from __future__ import annotations

import pytest
import torch

from dlcli.metrics.importance import importance_difference, mean_importance


def test_it_is_the_mean_absolute_attribution_and_signs_do_not_cancel() -> None:
    found = mean_importance(torch.tensor([[1.0, 0.0], [-3.0, 0.0]]))
    assert [metric.value for metric in found] == [2.0, 0.0]
    assert found[1].low == found[1].high == 0.0
    assert found[0].n == 2


def test_the_interval_is_as_wide_as_the_standard_error_says() -> None:
    values = torch.rand(400, 1, generator=torch.Generator().manual_seed(0))
    (found,) = mean_importance(values)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * float(values.std()) / 20, rel=0.1)


def test_the_interval_holds_the_truth_in_nineteen_of_twenty_samples() -> None:
    generator = torch.Generator().manual_seed(1)
    held = 0
    for _ in range(60):
        (found,) = mean_importance(torch.randn(80, 1, generator=generator))
        held += found.low <= (2 / torch.pi) ** 0.5 <= found.high
    assert held >= 52


def test_groups_that_differ_are_told_apart_and_equal_ones_are_not() -> None:
    attributions = torch.randn(400, 2, generator=torch.Generator().manual_seed(2))
    members = torch.arange(400) < 150
    attributions[members, 0] *= 3
    scaled, same = importance_difference(attributions, members)
    assert scaled.value == pytest.approx(float(attributions[:150, 0].abs().mean() - attributions[150:, 0].abs().mean()), rel=1e-5)
    assert scaled.low > 0
    assert same.low < 0 < same.high


def test_one_row_has_no_bounds_and_wrong_shapes_are_refused() -> None:
    assert mean_importance(torch.ones(1, 2))[0].low is None
    with pytest.raises(ValueError, match="N at least 1"):
        mean_importance(torch.ones(0, 2))
    with pytest.raises(ValueError, match="either side"):
        importance_difference(torch.ones(3, 2), torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="members must be bool"):
        importance_difference(torch.ones(3, 2), torch.ones(2, dtype=torch.bool))
