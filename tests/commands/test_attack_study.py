"""What ``dl attack report`` may be asked, and where its radius comes from."""

from __future__ import annotations

import pytest

from dlcli.commands.attack_study import RobustnessReport, study_for
from dlcli.config.compose import compose
from dlcli.config.invocation import Invocation
from dlcli.config.schema import checked_settings
from dlcli.contracts import DataSpec
from dlcli.errors import UsageError

SPEC = DataSpec(name="toy", shape=(1, 2, 2), classes=("a", "b"), mean=(0.5,), std=(0.5,), epsilon={"linf": 0.25, "l2": 1.5})


def asked(*overrides: str, spec: DataSpec = SPEC):
    typed = ("study/attack@study=report", *overrides)
    settings = checked_settings("attack", compose("attack", list(typed)))
    return study_for(settings, Invocation(verb="attack", overrides=typed), spec)


def test_the_radius_is_the_datas_own_and_says_so():
    study, settings, reason = asked()
    assert (study.epsilon, study.norm) == (0.25, "linf")
    assert "toy" in reason
    assert settings.study["epsilon"] == settings.attack["epsilon"] == 0.25


@pytest.mark.parametrize("overrides", [("study.norm=l2",), ("attack.norm=l2",)])
def test_the_norm_is_asked_for_as_of_a_study_or_as_of_any_attack(overrides):
    study, settings, _ = asked(*overrides)
    assert (study.epsilon, study.norm) == (1.5, "l2")
    assert settings.attack["norm"] == "l2"


def test_a_radius_may_be_a_fraction():
    assert asked("study.epsilon=8/255")[0].epsilon == 8 / 255
    assert asked("attack.epsilon=8/255")[0].epsilon == 8 / 255


@pytest.mark.parametrize("override", ["attack=pgd", "attack.gamma=3"])
def test_settings_of_a_single_attack_have_no_place(override):
    typed = ("study/attack@study=report", override)
    settings = checked_settings("attack", compose("attack", list(typed[:1])))
    with pytest.raises(UsageError, match="has no place"):
        study_for(settings, Invocation(verb="attack", overrides=typed), SPEC)


def test_a_radius_of_zero_is_no_attack():
    with pytest.raises(UsageError, match="radius above 0"):
        asked("study.epsilon=0")


def test_a_budget_that_is_no_time_is_refused():
    with pytest.raises(UsageError, match="60s or 5m"):
        asked("budget=soon")


def test_images_without_labels_and_tables_are_refused():
    with pytest.raises(UsageError, match="needs labels"):
        asked("images=photo.png")
    table = DataSpec(name="t", shape=(3,), classes=("a", "b"), mean=(0.0,) * 3, std=(1.0,) * 3, kind="table", epsilon={})
    with pytest.raises(UsageError, match="holds tables") as refused:
        asked(spec=table)
    assert "dl attack pgd" in str(refused.value.hint)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epsilon": 8.0},
        {"norm": "l1"},
        {"steps": 0},
        {"reach": 0.5},
        {"rungs": 1},
        {"certify": -1},
        {"sigma": 0.0},
        {"draws": 0},
        {"disguise": "hat"},
    ],
)
def test_what_is_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RobustnessReport(**{"epsilon": 0.1, **wrong})
