"""Settings inside the roots."""

import pytest

from dlcli.config.compose import compose
from dlcli.config.nested import StrategySettings, TrainerSettings, at_least


@pytest.mark.parametrize("name", ["head_first", "full", "gradual", "last_stages", "linear_probe"])
def test_each_strategy_is_complete(name):
    values = compose("finetune", [f"strategy={name}"])["strategy"]
    assert set(values) == {"probe_epochs", "last", "stage_epochs", "body_lr", "stage_decay", "batch_norm"}
    assert StrategySettings(**values).last == {"linear_probe": 0, "last_stages": 1}.get(name)


@pytest.mark.parametrize("name", ["transfer", "finetune", "default"])
def test_each_trainer_is_complete(name):
    assert TrainerSettings(**compose("finetune", [f"trainer={name}"])["trainer"]).epochs > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"body_lr": 0}, "body_lr=0: expected a share"),
        ({"stage_decay": 1.5}, "stage_decay=1.5: expected a share"),
        ({"last": -1}, "last=-1: expected 0 or more"),
        ({"probe_epochs": -1}, "probe_epochs=-1: expected 0 or more"),
        ({"stage_epochs": 0}, "stage_epochs=0: expected 1 or more"),
    ],
)
def test_numbers_out_of_range_are_refused_by_their_keys(change, said):
    values = compose("finetune", [])["strategy"]
    with pytest.raises(ValueError, match=said):
        StrategySettings(**{**values, **change})


def test_nothing_is_not_below_anything():
    at_least(None, 1, "labels")
    at_least(1, 1, "labels")
    with pytest.raises(ValueError, match="labels=0: expected 1 or more"):
        at_least(0, 1, "labels")
