"""Robust accuracy is of the worst case of each example, and an attack that was not tried says nothing."""

from __future__ import annotations

import math

import pytest
import torch

from dlcli.metrics.intervals import wilson
from dlcli.metrics.robustness import curve, fooling_distances, histogram, robust_accuracy, smallest, standing, survival

INF, NAN = math.inf, math.nan


def table(**columns: list[float]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(values) for name, values in columns.items()}


def test_the_worst_case_is_taken_for_each_example_and_not_of_the_averages():
    # Each attack breaks two of four; together they break all.
    found = smallest(table(first=[0.1, 0.1, INF, INF], second=[INF, INF, 0.2, 0.2]))
    assert robust_accuracy(found, 0.3).value == 0
    assert robust_accuracy(torch.tensor([0.1, 0.1, INF, INF]), 0.3).value == 0.5


def test_the_smallest_distance_counts_and_what_was_not_tried_does_not():
    found = smallest(table(first=[0.3, INF, NAN, NAN], second=[0.1, NAN, INF, NAN]))
    assert found[:3].tolist() == pytest.approx([0.1, INF, INF])
    assert found[3].isnan()


def test_examples_that_nobody_tried_are_not_counted():
    assert robust_accuracy(torch.tensor([INF, 0.1, NAN, NAN]), 0.2) == wilson(1, 2)


def test_a_point_on_the_surface_of_the_ball_counts_as_inside():
    assert not standing(torch.tensor([0.3 + 2e-7]), 0.3)
    assert standing(torch.tensor([0.301]), 0.3)


def test_a_misclassified_example_is_at_distance_zero_and_never_robust():
    right, targets = torch.tensor([True, False, True]), torch.tensor([1, 0, 2])
    column = fooling_distances(right, torch.tensor([0, 2]), torch.tensor([0, 2]), targets, torch.tensor([0.25, 0.2]))
    assert column.tolist() == [0.25, 0.0, INF]
    assert robust_accuracy(column, 0.0).value == pytest.approx(2 / 3)


def test_an_example_that_was_not_attacked_is_not_a_number():
    right, targets = torch.tensor([True, True]), torch.tensor([0, 0])
    column = fooling_distances(right, torch.tensor([1]), torch.tensor([0]), targets, torch.tensor([0.1]))
    assert column[0].isnan()
    assert column[1] == INF


def test_the_curve_never_rises_and_begins_at_clean_accuracy():
    distances = torch.tensor([0.0, 0.05, 0.15, 0.15, INF])
    values = [metric.value for metric in curve(distances, [0.0, 0.1, 0.15, 0.3]).values()]
    assert values == pytest.approx([0.8, 0.6, 0.2, 0.2])


def test_survival_is_among_those_that_the_attack_was_tried_on():
    before = torch.tensor([True, True, True, False])
    column = torch.tensor([0.1, INF, 0.9, NAN])
    assert survival(before, column, 0.3) == wilson(2, 3)


def test_the_histogram_counts_each_example_that_needs_a_change_once():
    distances = torch.tensor([0.0, NAN, 0.05, 0.1, 0.15, 0.2, 0.25, INF])
    counts, beyond = histogram(distances, [0.0, 0.1, 0.2])
    assert counts == [2, 2]
    assert beyond == 2
