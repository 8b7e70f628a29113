import dataclasses

import pytest

from dlcli.config.compose import compose
from dlcli.config.nested import TrainerSettings
from dlcli.config.schema import ROOTS, FitSettings, TrainSettings, checked_settings, settings_of
from dlcli.errors import ConfigError


@pytest.fixture(scope="module")
def plain():
    return compose("train", [])


def changed(plain: dict, **changes) -> dict:
    values = {**plain, "trainer": dict(plain["trainer"])}
    for key, value in changes.items():
        if key in plain["trainer"]:
            values["trainer"][key] = value
        else:
            values[key] = value
    return values


def test_a_composed_root_becomes_typed_settings(plain):
    settings = checked_settings("train", plain)
    assert isinstance(settings, TrainSettings)
    assert isinstance(settings.trainer, TrainerSettings)
    assert isinstance(settings.optimizer, dict)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"epochs": 0}, "trainer.epochs=0: expected 1 or more"),
        ({"batch_size": -5}, "trainer.batch_size=-5: expected 1 or more"),
        ({"accumulate": 0}, "trainer.accumulate=0: expected 1 or more"),
        ({"patience": 0}, "trainer.patience=0: expected 1 or more"),
        ({"save_every": 0}, "trainer.save_every=0: expected 1 or more"),
        ({"clip_norm": 0}, "trainer.clip_norm=0.0: expected more than 0"),
        ({"max_time": -1}, "trainer.max_time=-1.0: expected more than 0"),
        ({"ema": 1}, "trainer.ema=1.0: expected a decay between 0 and 1, such as 0.99, or null"),
        (
            {"monitor": "test/accuracy"},
            "trainer.monitor=test/accuracy: expected one of auto, val/accuracy, val/robust_accuracy, val/loss, last; "
            "did you mean 'val/accuracy' or 'val/robust_accuracy'?",
        ),
        ({"seed": -1}, "seed=-1: expected 0 or more"),
        ({"workers": -1}, "workers=-1: expected 0 or more"),
        ({"overfit": 0}, "overfit=0: expected 1 or more"),
        ({"limit_train": 0}, "limit_train=0: expected 1 or more"),
        ({"limit_train": 0.0}, "limit_train=0.0: a number with a point is a fraction in (0, 1]; a count has none"),
        ({"limit_train": 2.0}, "limit_train=2.0: a number with a point is a fraction in (0, 1]; a count has none"),
        ({"optimizer": "sgd"}, "optimizer=sgd: expected a group entry; dl list shows them"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_key(changes, line, plain):
    settings, mistakes = settings_of("train", changed(plain, **changes))
    assert settings is None
    assert mistakes == [line]


@pytest.mark.parametrize("limit", [1, 1000, 0.1, 1.0])
def test_limit_train_is_a_count_without_a_point_and_a_fraction_with_one(limit, plain):
    settings = checked_settings("train", changed(plain, limit_train=limit))
    assert isinstance(settings, FitSettings)
    assert settings.limit_train == limit
    assert type(settings.limit_train) is type(limit)


def test_mistakes_of_root_and_trainer_come_together(plain):
    mistakes = settings_of("train", changed(plain, epochs="ten", seed="x", nonsense=1))[1]
    assert [line.split(":")[0].split(";")[0] for line in mistakes] == ["seed=x", "unknown key 'nonsense'", "trainer.epochs=ten"]


def test_a_missing_group_is_asked_for(plain):
    values = {key: value for key, value in plain.items() if key != "optimizer"}
    with pytest.raises(ConfigError, match="missing value for 'optimizer'; write optimizer=VALUE"):
        checked_settings("train", values)


def test_settings_cannot_be_changed_after_they_are_checked(plain):
    with pytest.raises(dataclasses.FrozenInstanceError):
        checked_settings("train", plain).seed = 3


def test_every_verb_that_makes_a_run_has_a_root():
    assert list(ROOTS) == ["train", "evaluate", "finetune", "attack", "explain"]
