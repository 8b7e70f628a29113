"""What to try next."""

from __future__ import annotations

import pytest

from dlcli.commands.next_steps import after_attack, after_evaluate, after_explain, half, same_subject
from dlcli.config.compose import compose
from dlcli.config.schema import AttackSettings, EvaluateSettings, ExplainSettings, checked_settings


def settings(*overrides: str) -> AttackSettings:
    found = checked_settings("attack", compose("attack", list(overrides)))
    assert isinstance(found, AttackSettings)
    return found


@pytest.mark.parametrize(("epsilon", "written"), [(8 / 255, "4/255"), (0.3, "0.15"), (1 / 255, "0.00196"), (0.5, "0.25")])
def test_half_a_radius_is_written_as_people_do(epsilon: float, written: str) -> None:
    assert half(epsilon) == written


def test_what_the_user_named_is_named_again_and_quoted() -> None:
    assert same_subject(settings()) == ""
    named = settings("run=pretrained:efficientnet_lite0", "images='my photos'")
    assert same_subject(named) == " --run pretrained:efficientnet_lite0 --images 'my photos'"


def test_a_smaller_radius_is_half_of_the_one_that_was_used() -> None:
    commands = dict(after_attack(settings("run=cats"), name="pgd", kind="image", epsilon=4 / 255))
    assert commands["dl attack pgd attack.epsilon=2/255 --run cats"] == "half the radius"
    assert "dl attack report --run cats" in commands


def test_a_smaller_radius_is_one_of_the_same_norm_and_goal() -> None:
    asked = settings("attack.norm=l2", "targeted=3", "source=cats")
    commands = dict(after_attack(asked, name="pgd", kind="image", epsilon=2.0))
    assert commands["dl attack pgd attack.epsilon=1 attack.norm=l2 --targeted 3 --source cats"] == "half the radius"
    assert "dl attack report study.norm=l2" in commands


def test_what_was_just_done_is_not_advised() -> None:
    assert (
        after_attack(settings("attack=fab_t", "attack.norm=l2", "immutable=Age"), name="fab_t", kind="table", epsilon=None) == ()
    )


def test_without_labels_no_report_and_without_a_radius_no_smaller_one_is_advised() -> None:
    (only,) = after_attack(settings("images=photos"), name="ddn", kind="image", epsilon=None)
    assert only[0] == "dl explain gradcam --images photos"


def test_of_tables_columns_are_the_next_question() -> None:
    commands = [command for command, _ in after_attack(settings(), name="pgd", kind="table", epsilon=0.1)]
    assert commands == ["dl attack fab_t attack.norm=l2", "dl attack pgd --immutable NAME,NAME"]


def test_after_measuring_a_named_model_it_is_named_again() -> None:
    plain, under = (checked_settings("evaluate", compose("evaluate", ["run=cats", *own])) for own in ([], ["attack=fgsm"]))
    assert isinstance(plain, EvaluateSettings)
    assert isinstance(under, EvaluateSettings)
    assert [command for command, _ in after_evaluate(plain)] == ["dl attack fgsm --run cats", "dl explain gradcam --run cats"]
    assert after_evaluate(under)[0][0] == "dl attack report --run cats"


def test_after_an_explanation_comes_another_method_and_the_worst_mistakes_of_data_with_labels() -> None:
    plain = checked_settings("explain", compose("explain", []))
    own = checked_settings("explain", compose("explain", ["images=photos"]))
    assert isinstance(plain, ExplainSettings)
    assert isinstance(own, ExplainSettings)
    commands = [command for command, _ in after_explain(plain, name="integrated_gradients", kind="image")]
    assert commands == ["dl explain occlusion", "dl explain integrated_gradients --select worst", "dl attack fgsm"]
    commands = [command for command, _ in after_explain(own, name="gradcam", kind="image")]
    assert commands == ["dl explain integrated_gradients --images photos", "dl attack fgsm --images photos"]
