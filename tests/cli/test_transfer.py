"""What is taken for granted of a backbone."""

import pytest

from dlcli.cli.transfer import backbone_defaults

RECIPE = ["trainer=transfer", "optimizer=adamw_transfer", "limit_test=2000"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["backbone=resnet18"], [*RECIPE, "data=mnist", "labels=1000"]),
        (["backbone=resnet18", "data=cifar10"], RECIPE),
        (["backbone=resnet18", "labels=200"], [*RECIPE, "data=mnist"]),
        (["backbone=resnet18", "compare=10"], [*RECIPE, "data=mnist"]),
        (["run='pretrained:resnet18'"], [*RECIPE, "data=mnist", "labels=1000"]),
        (["run=latest"], []),
        (["backbone=null"], []),
        (["epochs"], []),
    ],
)
def test_a_backbone_brings_its_recipe_and_data_only_where_none_are_named(overrides, expected):
    assert backbone_defaults("finetune", overrides) == expected


def test_other_verbs_know_no_backbone():
    assert backbone_defaults("train", ["backbone=resnet18"]) == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--no-baseline"], "baseline: false"),
        (["--full-test"], "limit_test: null"),
        ([], "limit_test: 2000"),
        (["limit_test=50"], "limit_test: 50"),
        (["--labels", "200"], "labels: 200"),
        (["--strategy", "last-2"], "last: 2"),
        (["--strategy", "linear-probe"], "last: 0"),
        (["--size", "64"], "size: 64"),
        (["--weights", "none"], "weights: none"),
        (["--epochs", "2"], "epochs: 2"),
        (["trainer=finetune"], "epochs: 10"),
    ],
)
def test_flags_stand_for_keys_and_what_is_typed_wins(dl, flags, said):
    answer = dl("finetune", "--backbone", "resnet18", *flags, "--cfg", "job")
    assert answer.code == 0, answer.err
    assert said in answer.out.replace("  ", "")
