"""The data of a fit, cut as the settings say."""

from pathlib import Path

import pytest
from PIL import Image

from dlcli.commands.bundle import load_bundle
from dlcli.config.compose import compose
from dlcli.config.schema import FitSettings, checked_settings
from dlcli.errors import UsageError


def settings(*overrides: str, verb: str = "train") -> FitSettings:
    found = checked_settings(verb, compose(verb, ["data=digits", *overrides]))
    assert isinstance(found, FitSettings)
    return found


@pytest.mark.parametrize(("limit", "count"), [("limit_train=50", 50), ("limit_train=0.1", 126), ("limit_train=null", 1257)])
def test_training_examples_can_be_limited_to_a_count_or_a_share(limit: str, count: int) -> None:
    bundle = load_bundle(settings(limit))
    assert len(bundle.train) == count
    assert len(bundle.val) == len(bundle.test) == 270


def test_a_limit_keeps_the_shares_of_the_classes() -> None:
    counts = load_bundle(settings("limit_train=100")).train.targets.bincount(minlength=10)
    assert counts.tolist() == [10] * 10


def test_more_examples_than_there_are_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="limit_train=9999: digits has 1257 training examples"):
        load_bundle(settings("limit_train=9999"))


def test_overfitting_validates_on_the_very_examples_that_it_trains_on() -> None:
    bundle = load_bundle(settings("overfit=20"))
    assert len(bundle.train) == 20
    assert bundle.val is bundle.train


def test_finetuning_cuts_labels_and_tests_too() -> None:
    bundle = load_bundle(settings("labels=100", "limit_test=50", verb="finetune"))
    assert bundle.val is not None
    assert bundle.test is not None
    assert (len(bundle.train), len(bundle.val), len(bundle.test)) == (80, 20, 50)


def test_the_digest_is_that_of_the_whole_data() -> None:
    few, all_of_it = (load_bundle(settings(*own, verb="finetune")).digest for own in (["labels=100"], []))
    assert few == all_of_it


def test_few_images_are_pointed_to_finetuning_only_where_they_are_trained_on_from_scratch(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number in range(4):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.new("RGB", (16, 16), (60 * number, 0, 0 if name == "a" else 200)).save(tmp_path / name / f"{number}.png")
    own = ("data=folder", f"data.root={tmp_path}", "data.size=16")
    scratch, tuned = (load_bundle(settings(*own, verb=verb)).notes for verb in ("train", "finetune"))
    assert any("few to learn from scratch" in note for note in scratch)
    assert not any("few to learn" in note for note in tuned)
