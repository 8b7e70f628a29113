"""Subsets that grow: exactly so many of each class, smaller ones inside larger ones."""

import pytest
import torch
from torch import Tensor

from dlcli.data.label_subsets import label_subset

# A rare class, a common one, and one in between, in no order.
TARGETS = torch.tensor([0] * 12 + [1] * 100 + [2] * 40)[torch.randperm(152, generator=torch.Generator().manual_seed(0))]


def counts(rows: Tensor) -> list[int]:
    return TARGETS[rows].bincount(minlength=3).tolist()


@pytest.mark.parametrize(("per_class", "val"), [(2, 1), (3, 1), (5, 1), (7, 2), (10, 2), (12, 3)])
def test_every_class_has_as_many_labels_and_about_a_fifth_of_them_choose(per_class: int, val: int) -> None:
    found = label_subset(TARGETS, per_class, seed=0)
    assert counts(found.train) == [per_class - val] * 3
    assert counts(found.val) == [val] * 3
    assert not set(found.train.tolist()) & set(found.val.tolist())


def test_a_smaller_subset_lies_inside_a_larger_one_part_for_part() -> None:
    small, large = label_subset(TARGETS, 4, seed=3), label_subset(TARGETS, 11, seed=3)
    assert set(small.train.tolist()) < set(large.train.tolist())
    assert set(small.val.tolist()) < set(large.val.tolist())


def test_another_seed_chooses_other_examples_and_the_same_one_the_same() -> None:
    first, again, other = (label_subset(TARGETS, 5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.train, again.train)
    assert not torch.equal(first.train, other.train)


def test_positions_rise() -> None:
    found = label_subset(TARGETS, 12, seed=0)
    assert torch.equal(found.train, found.train.sort().values)


@pytest.mark.parametrize("per_class", [0, 1, 13])
def test_what_a_class_cannot_give_is_refused(per_class: int) -> None:
    with pytest.raises(ValueError, match=rf"expected 2 … 12 labels per class, got {per_class}"):
        label_subset(TARGETS, per_class, seed=0)


def test_each_example_of_a_class_is_chosen_about_equally_often() -> None:
    chosen = torch.zeros(len(TARGETS))
    for seed in range(400):
        found = label_subset(TARGETS, 10, seed=seed)
        chosen[torch.cat([found.train, found.val])] += 1
    # 10 of 40: a binomial share of 400 draws, five standard deviations to either side.
    assert (chosen[TARGETS == 2] / 400 - 0.25).abs().max() < 5 * (0.25 * 0.75 / 400) ** 0.5
