"""Folds are even, in all and in each class, and a matter of the seed alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.folds import stratified_folds


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=60), st.integers(2, 6), st.integers(0, 5))
def test_folds_differ_by_at_most_one_example_in_all_and_in_each_class(classes, folds, seed):
    targets = torch.tensor(classes)
    if folds > len(targets):
        return
    numbers = stratified_folds(targets, folds, seed=seed)
    for rows in (torch.ones(len(targets), dtype=torch.bool), *(targets == label for label in targets.unique())):
        counts = numbers[rows].bincount(minlength=folds)
        assert int(counts.max() - counts.min()) <= 1


def test_the_seed_and_the_repeat_deal_again():
    targets = torch.arange(100) % 2
    first = stratified_folds(targets, 5, seed=0)
    assert torch.equal(first, stratified_folds(targets, 5, seed=0))
    assert not torch.equal(first, stratified_folds(targets, 5, seed=1))
    assert not torch.equal(first, stratified_folds(targets, 5, seed=0, repeat=1))


@pytest.mark.parametrize("folds", [0, 1, 5])
def test_more_folds_than_examples_or_fewer_than_two_are_refused(folds):
    with pytest.raises(ValueError, match="folds must be in 2 … 4"):
        stratified_folds(torch.zeros(4, dtype=torch.int64), folds, seed=0)
