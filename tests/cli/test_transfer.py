"""What is taken for granted of a backbone."""

import json

import pytest

from dlcli.cli.transfer import backbone_defaults
from dlcli.runs.run import runs_root

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


def record(run_id, **information):
    """The least that a finished run with a model consists of."""
    path = runs_root() / "finetune" / "x" / run_id
    (path / "checkpoints" / "step-00000001").mkdir(parents=True)
    (path / "config.yaml").touch()
    (path / "run.json").write_text(json.dumps({"schema": 1, "verb": "finetune", "name": "x", **information}))
    result = {"schema": 1, "verb": "finetune", "id": run_id, "parent": None, "seconds": 1, "metrics": {}, "files": {}}
    (path / "result.json").write_text(json.dumps(result))


@pytest.mark.parametrize("named", [["run='latest'"], ["run=x"], ["run=20260102"], []])
def test_a_run_that_began_as_a_backbone_has_its_recipe_however_long_ago(named):
    record("20260101-000000.000-aaaaaa", origin={"backbone": "resnet18", "weights": "IMAGENET1K_V1"})
    record("20260102-000000.000-bbbbbb", parent="20260101-000000.000-aaaaaa", origin={"replaced": "net.fc"})
    assert backbone_defaults("finetune", [*named, "data=digits"]) == RECIPE


def test_a_run_that_began_as_none_has_the_recipe_of_small_networks():
    record("20260101-000000.000-aaaaaa", parent="builtin:mnist", origin={"replaced": "net.fc"})
    assert backbone_defaults("finetune", ["run=latest", "data=digits"]) == []
    assert backbone_defaults("finetune", ["run=missing", "data=digits"]) == []


def test_a_circle_of_parents_ends():
    record("20260101-000000.000-aaaaaa", parent="20260101-000000.000-aaaaaa")
    assert backbone_defaults("finetune", ["run=latest"]) == []


def test_what_is_typed_beside_such_a_run_wins(dl):
    record("20260101-000000.000-aaaaaa", origin={"backbone": "resnet18"})
    answer = dl("finetune", "--run", "latest", "optimizer=sgd_finetune", "--cfg", "job")
    assert answer.code == 0, answer.err
    assert "torch.optim.SGD" in answer.out
    assert "torch.optim.AdamW" in dl("finetune", "--run", "latest", "--cfg", "job").out


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


def test_all_test_examples_and_some_of_them_exclude_each_other(dl):
    answer = dl("finetune", "--backbone", "resnet18", "--full-test", "limit_test=5", "--cfg", "job")
    assert answer.code == 2
    assert "--full-test and limit_test=5 exclude each other" in answer.err
    assert dl("finetune", "--backbone", "resnet18", "--full-test", "limit_test=null", "--cfg", "job").code == 0
