"""Few labels: shared honestly between training and selection."""

import pytest
import torch

from dlcli.commands.few_labels import few_labels
from dlcli.config.compose import compose
from dlcli.config.schema import FinetuneSettings, checked_settings
from dlcli.data.memory import MemorySplit
from dlcli.errors import UsageError


def settings(*overrides: str) -> FinetuneSettings:
    found = checked_settings("finetune", compose("finetune", list(overrides)))
    assert isinstance(found, FinetuneSettings)
    return found


def split(count: int, classes: int = 4) -> MemorySplit:
    return MemorySplit(torch.rand(count, 1, 2, 2), torch.arange(count) % classes)


def test_a_fifth_of_the_labels_is_vals() -> None:
    train, val, test = few_labels(settings("labels=40"), split(400), split(100), split(80), name="x")
    assert val is not None
    assert (len(train), len(val), len(test or ())) == (32, 8, 80)
    assert train.targets.bincount().tolist() == [8, 8, 8, 8]
    assert val.targets.bincount().tolist() == [2, 2, 2, 2]


def test_each_class_keeps_one_in_each_part_where_labels_are_very_few() -> None:
    train, val, _ = few_labels(settings("labels=8"), split(400), split(100), None, name="x")
    assert val is not None
    assert train.targets.bincount().tolist() == [1, 1, 1, 1]
    assert val.targets.bincount().tolist() == [1, 1, 1, 1]


def test_the_seed_draws_the_labels_and_not_the_tests() -> None:
    drawn = (settings("labels=40", "limit_test=20", f"seed={seed}") for seed in (0, 1))
    parts = [few_labels(own, split(400), split(100), split(80), name="x") for own in drawn]
    assert parts[0][0].index.tolist() != parts[1][0].index.tolist()
    assert parts[0][2] is not None
    assert parts[1][2] is not None
    assert parts[0][2].index.tolist() == parts[1][2].index.tolist()
    assert parts[0][2].targets.bincount().tolist() == [5, 5, 5, 5]


def test_without_val_all_labels_are_trained_on() -> None:
    train, val, _ = few_labels(settings("labels=40"), split(400), None, None, name="x")
    assert (len(train), val) == (40, None)


def test_without_a_limit_nothing_is_cut() -> None:
    train, val, test = few_labels(settings(), split(400), split(100), split(80), name="x")
    assert (len(train), len(val or ()), len(test or ())) == (400, 100, 80)


@pytest.mark.parametrize(("labels", "said"), [(7, "each of the 4 classes needs one"), (900, "x has 500 labelled examples")])
def test_labels_that_cannot_be_had_are_refused_with_what_can(labels: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        few_labels(settings(f"labels={labels}"), split(400), split(100), None, name="x")
