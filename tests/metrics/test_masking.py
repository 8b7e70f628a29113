"""Each sign of a hidden gradient by itself: what passes, what warns, what fails, and what to try next."""

from __future__ import annotations

import pytest

from dlcli.metrics import masking
from dlcli.metrics.masking import Check, overall


def check(verdict: str) -> Check:
    return Check(name="x", words="x", verdict=verdict, value=0.0, figure="", reason="", advice="")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([], "PASS"),
        (["PASS", "PASS"], "PASS"),
        (["PASS", "WARN"], "WARN"),
        (["WARN", "FAIL", "PASS"], "FAIL"),
    ],
)
def test_the_worst_check_is_the_verdict(verdicts, worst):
    assert overall([check(verdict) for verdict in verdicts]) == worst


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (masking.zero_gradients(0.0, 0.0), "PASS"),
        (masking.zero_gradients(0.05, 0.0), "WARN"),
        (masking.zero_gradients(1.0, 0.0), "FAIL"),
        (masking.zero_gradients(0.0, 1.0), "FAIL"),
        (masking.finite_differences(0.0, 0.0), "PASS"),
        (masking.finite_differences(0.1, 0.0), "WARN"),
        (masking.finite_differences(0.5, 0.0), "FAIL"),
        (masking.finite_differences(0.0, 1.0), "FAIL"),
        (masking.large_radius(0, 100, 1.0), "PASS"),
        (masking.large_radius(5, 100, 1.0), "WARN"),
        (masking.large_radius(30, 100, 1.0), "FAIL"),
        (masking.monotone([90, 50, 10, 0], [0.1, 0.2, 0.3, 1.0], 100), "PASS"),
        (masking.monotone([90, 50, 51, 0], [0.1, 0.2, 0.3, 1.0], 100), "PASS"),
        (masking.monotone([90, 50, 52, 0], [0.1, 0.2, 0.3, 1.0], 100), "WARN"),
        (masking.monotone([90, 50, 40, 60], [0.1, 0.2, 0.3, 1.0], 100), "FAIL"),
        (masking.pgd_over_fgsm(10, 50, 100), "PASS"),
        (masking.pgd_over_fgsm(52, 50, 100), "WARN"),
        (masking.pgd_over_fgsm(60, 50, 100), "FAIL"),
        (masking.more_effort(0, 0, 0, 100), "PASS"),
        (masking.more_effort(2, 100, 200, 1000), "PASS"),
        (masking.more_effort(5, 100, 200, 1000), "WARN"),
        (masking.more_effort(50, 100, 200, 1000), "FAIL"),
        (masking.black_box(0, 0, 100), "PASS"),
        (masking.black_box(5, 500, 1000), "PASS"),
        (masking.black_box(15, 500, 1000), "WARN"),
        (masking.black_box(30, 50, 100), "FAIL"),
        (masking.randomness(0.0, 0.0), "PASS"),
        (masking.randomness(1e-4, 0.0), "WARN"),
        (masking.randomness(0.3, 0.0), "FAIL"),
        (masking.randomness(1e-7, 0.01), "FAIL"),
        (masking.softmax_outputs(False, binary=False), "PASS"),
        (masking.softmax_outputs(True, binary=False), "FAIL"),
        (masking.softmax_outputs(True, binary=True), "WARN"),
    ],
)
def test_a_check_grades_its_figure(made, verdict):
    assert made.verdict == verdict
    assert made.figure
    assert made.reason
    # Who passes needs no advice, and who does not gets the next thing to try.
    assert bool(made.advice) == (verdict != "PASS")


def test_a_rise_is_measured_from_the_lowest_accuracy_before_it():
    slow = masking.monotone([50, 51, 52, 53], [0.1, 0.2, 0.3, 1.0], 100)
    assert slow.verdict == "FAIL"
    assert slow.value == pytest.approx(0.03)


def test_one_example_of_few_says_nothing():
    assert masking.pgd_over_fgsm(11, 10, 20).verdict == "PASS"
    assert masking.black_box(1, 5, 20).verdict == "PASS"
    assert masking.more_effort(1, 20, 39, 40).verdict == "PASS"


def test_two_examples_of_few_warn():
    assert masking.pgd_over_fgsm(12, 10, 20).verdict == "WARN"
    assert masking.black_box(2, 5, 20).verdict == "WARN"
    assert masking.more_effort(2, 20, 39, 40).verdict == "WARN"


def test_what_more_effort_breaks_counts_for_all_that_stood():
    # Half of those tried fell, and a fifth of all stood: ten points.
    assert masking.more_effort(50, 100, 200, 1000).value == pytest.approx(0.1)


def test_a_saturated_loss_and_a_flat_network_get_other_advice():
    assert "square" in masking.zero_gradients(1.0, 1.0).advice
    assert "apgd_dlr" in masking.zero_gradients(1.0, 0.0).advice
