"""Verdicts on explanations."""

import math

import pytest
import torch

from dlcli.metrics.trust import GAIN, Evidence, Verdict, at_least, calibrated_bar, passes, sensitivity, verdicts


def evidence(percentile: float, **changes: object) -> Evidence:
    known = {"untrained": torch.tensor([0.1]), "empty": torch.tensor([False]), "runner_up": torch.tensor([0.2])}
    return Evidence(torch.tensor([percentile]), **{"margin": torch.tensor([0.4]), **known, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "word", "reason"),
    [
        (evidence(0.99), "supported", "carry the class"),
        (evidence(0.99, empty=torch.tensor([True])), "unsupported", "zero everywhere"),
        (evidence(0.3), "unsupported", "less than those of 70%"),
        (evidence(0.8), "weak", "it beats 80% of maps that know nothing, and 90% are needed"),
        (
            evidence(0.99, margin=torch.tensor([0.1])),
            "weak",
            "it gains 0.10 on maps that know nothing, and more than 0.25",
        ),
        (evidence(0.99, runner_up=torch.tensor([0.95])), "weak", "second likeliest class"),
        (evidence(0.99, runner_up=None), "supported", "carry the class"),
        (evidence(0.99, untrained=torch.tensor([0.85])), "weak", "without training has nearly the same"),
        (evidence(0.99, sensitivity=torch.tensor([1.5])), "weak", "nobody sees"),
    ],
)
def test_the_first_thing_that_speaks_against_a_map_is_named(found: Evidence, word: str, reason: str) -> None:
    (verdict,) = verdicts(found, 0.25)
    assert verdict.word == word
    assert reason in verdict.reason


def test_the_bar_lets_a_tenth_of_an_untrained_networks_maps_pass_and_no_more() -> None:
    high, margin = torch.ones(20), torch.linspace(0.1, 0.29, 20)
    bar = calibrated_bar(high, margin)
    assert bar == pytest.approx(0.27)
    assert passes(high, margin, bar).sum() == 2


def test_maps_that_rank_low_raise_no_bar_and_it_has_a_least() -> None:
    percentile = torch.tensor([1.0, 0.5, 0.5, 0.5])
    assert calibrated_bar(percentile, torch.tensor([0.1, 0.9, 0.9, 0.9])) == pytest.approx(0.1)
    assert calibrated_bar(torch.full((4,), 0.5), torch.full((4,), 0.9)) == GAIN
    assert calibrated_bar(torch.ones(4), torch.full((4,), -0.1)) == GAIN


def test_all_maps_have_to_be_as_good_as_what_is_required() -> None:
    found = [Verdict("supported", ""), Verdict("weak", "")]
    assert at_least("weak", found)
    assert not at_least("supported", found)


def test_sensitivity_is_the_largest_relative_change() -> None:
    maps = torch.tensor([[[3.0, 4.0]], [[0.0, 0.0]], [[0.0, 0.0]]])
    changed = torch.stack([maps, maps + torch.tensor([[[0.0, 5.0]], [[0.0, 0.0]], [[1.0, 0.0]]])])
    assert sensitivity(maps, changed).tolist() == [1.0, 0.0, math.inf]
