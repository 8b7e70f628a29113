"""``compare``: what it may hold, and what has no place beside it."""

from typing import Any

import pytest

from dlcli.config.compose import compose
from dlcli.config.label_counts import label_counts
from dlcli.config.schema import FinetuneSettings, checked_settings, settings_of


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return compose("finetune", ["run=builtin:mnist", "compare='100,10,30'"])


def test_counts_rise(plain: dict[str, Any]) -> None:
    settings = checked_settings("finetune", plain)
    assert isinstance(settings, FinetuneSettings)
    assert settings.label_counts == (10, 30, 100)
    assert label_counts(10) == (10,)
    assert label_counts(" 3 , 2 ") == label_counts([3, 2]) == (2, 3)


@pytest.mark.parametrize("compare", ["100,10,10", "10, 010,100", [100, 10, 10]])
def test_a_count_that_is_named_twice_is_refused(compare: str | list[int]) -> None:
    with pytest.raises(ValueError, match=r"10 is there twice, expected each count once, such as 10,100"):
        label_counts(compare)


def test_without_a_comparison_there_are_none(plain: dict[str, Any]) -> None:
    settings = checked_settings("finetune", {**plain, "compare": None})
    assert isinstance(settings, FinetuneSettings)
    assert settings.label_counts is None


@pytest.mark.parametrize("compare", ["ten", "10,,30", "10;30", "-10", "1e3", "", "9999999999", "٣", []])
def test_what_is_no_list_of_counts_is_refused(compare: str | list[int]) -> None:
    with pytest.raises(ValueError, match=r"expected labels per class, such as 10,30,100"):
        label_counts(compare)


def test_one_label_cannot_be_trained_on_and_chosen_by() -> None:
    with pytest.raises(ValueError, match=r"compare=1,10: expected 2 labels per class or more"):
        label_counts("1,10")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": 100}, "labels=100 has no place beside it"),
        ({"limit_train": 0.5}, "limit_train=0.5 has no place beside it"),
        ({"overfit": 10}, "overfit=10 has no place beside it"),
        ({"lr_find": True}, "lr_find=true has no place beside it"),
        ({"baseline": False}, "baseline=false has no place beside it"),
        ({"run": None, "backbone": "resnet18", "weights": "none"}, "expected weights=imagenet or a file, not none"),
        ({"run": None, "backbone": "resnet18", "weights": "NONE"}, "expected weights=imagenet or a file, not none"),
        ({"strategy": {"last": 0}}, "expected another strategy, such as strategy=head_first"),
        ({"compare_seeds": 1}, "compare_seeds=1: expected 2 or more"),
    ],
)
def test_what_contradicts_a_comparison_is_refused_in_one_line(plain: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    values = {**plain, **changes, "strategy": {**plain["strategy"], **changes.get("strategy", {})}}
    settings, mistakes = settings_of("finetune", values)
    assert settings is None
    assert len(mistakes) == 1
    assert said in mistakes[0]
