"""``adversary=…`` of train and finetune: off it changes nothing, on it is judged, selected by, guarded and resumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlcli.attacks.adversarial import Adversarial
from dlcli.attacks.trades import Trades
from dlcli.commands.adversary import monitor_of, objective_of
from dlcli.commands.training import plan_of
from dlcli.config.compose import compose
from dlcli.config.schema import FitSettings, checked_settings
from dlcli.contracts import DataSpec
from dlcli.errors import UsageError
from dlcli.losses.supervised import Supervised
from tests.faults.test_resume import Dl, newest, outcome, stopped_at

SPEC = DataSpec(name="small", shape=(1, 8, 8), classes=("a", "b"), mean=(0.0,), std=(1.0,), epsilon={"linf": 0.3, "l2": 2.0})
TABLE = DataSpec(name="rows", shape=(2,), classes=("a", "b"), mean=(0.0,) * 2, std=(1.0,) * 2, kind="table", epsilon={})
LOSS = nn.CrossEntropyLoss()
# 96 examples in batches of 16 are 6 steps an epoch, 12 in all.
TINY = ("digits", "--epochs", "2", "--quiet", "limit_train=96", "trainer.batch_size=16", "model.dropout=0.2", "augment=shift")
WEAK = ("adversary.epsilon=0.1", "trainer.robust_limit=40")


def settings(*overrides: str, verb: str = "train") -> FitSettings:
    found = checked_settings(verb, compose(verb, ["data=digits", *overrides]))
    assert isinstance(found, FitSettings)
    return found


def result() -> dict[str, Any]:
    return json.loads((newest() / "result.json").read_text())["metrics"]


# What is minimised


@pytest.mark.parametrize("verb", ["train", "finetune"])
def test_by_default_it_is_the_loss_of_the_examples_as_they_are(verb: str) -> None:
    found = objective_of(settings(verb=verb), LOSS, SPEC, total_steps=10)
    assert isinstance(found, Supervised)
    assert found.loss is LOSS


@pytest.mark.parametrize(("name", "kind"), [("pgd", Adversarial), ("fgsm_rs", Adversarial), ("trades", Trades)])
@pytest.mark.parametrize("verb", ["train", "finetune"])
def test_an_adversary_gets_the_loss_the_steps_and_the_radius_of_the_data(verb: str, name: str, kind: type) -> None:
    found = objective_of(settings(f"adversary={name}", verb=verb), LOSS, SPEC, total_steps=10)
    assert isinstance(found, kind)
    assert (found.loss, found.total_steps, found.epsilon) == (LOSS, 10, 0.3)
    assert objective_of(settings(f"adversary={name}", "adversary.norm=l2"), LOSS, SPEC, total_steps=1).threat.epsilon == 2.0


def test_one_step_is_wongs_step_and_only_it_is_guarded() -> None:
    fast = objective_of(settings("adversary=fgsm_rs"), LOSS, SPEC, total_steps=10)
    assert isinstance(fast, Adversarial)
    assert fast.radius.step_size(0) == pytest.approx(0.375)
    assert fast.guard == 0.2
    assert objective_of(settings("adversary=pgd"), LOSS, SPEC, total_steps=10).guard is None


def test_tables_have_no_pixels_to_change() -> None:
    with pytest.raises(UsageError, match="an adversary changes images, and 'rows' holds tables"):
        objective_of(settings("adversary=pgd"), LOSS, TABLE, total_steps=10)
    assert isinstance(objective_of(settings(), LOSS, TABLE, total_steps=10), Supervised)


@pytest.mark.parametrize(
    ("adversary", "monitor", "expected"),
    [
        ("none", "auto", "val/accuracy"),
        ("pgd", "auto", "val/robust_accuracy"),
        ("pgd", "val/accuracy", "val/accuracy"),
        ("pgd", "last", "last"),
        ("none", "val/loss", "val/loss"),
    ],
)
def test_the_best_epoch_is_the_most_robust_one_where_there_is_an_adversary(adversary: str, monitor: str, expected: str) -> None:
    own = settings(f"adversary={adversary}", f"trainer.monitor={monitor}")
    assert monitor_of(plan_of(own), objective_of(own, LOSS, SPEC, total_steps=1)) == expected


def test_robust_accuracy_is_no_monitor_without_an_adversary() -> None:
    own = settings("trainer.monitor=val/robust_accuracy")
    with pytest.raises(UsageError, match="is measured with an adversary alone"):
        monitor_of(plan_of(own), Supervised(LOSS))


# From the command line


@pytest.mark.parametrize("mistake", ["adversary.steps=0", "adversary.guard=3", "adversary.epsilon=80", "adversary.reach=-1"])
def test_a_value_out_of_range_is_one_line_before_a_run_begins(dl: Dl, mistake: str) -> None:
    answer = dl("train", *TINY, "adversary=pgd", mistake)
    assert answer.code == 2
    assert mistake.partition("=")[0] + " must be" in answer.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("attrition", "adversary=pgd"), "an adversary changes images, and 'attrition' holds tables"),
        (("attrition", "--cv", "5", "adversary=trades"), "an adversary changes images, and 'attrition' holds tables"),
        (("perceptron", "adversary=fgsm_rs", "adversary.epsilon=0.1"), "an adversary changes images, and 'and' holds tables"),
        (("digits", "trainer.monitor=val/robust_accuracy"), "is measured with an adversary alone"),
        (("digits", "adversary.steps=3"), "write adversary=fgsm_rs or adversary=pgd or"),
        (("digits", "adversary=pdg"), "did you mean 'pgd'?"),
    ],
)
def test_what_does_not_go_with_an_adversary_is_refused_in_one_line_before_a_run_begins(
    dl: Dl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reason: str
) -> None:
    monkeypatch.setenv("DL_RUNS", str(tmp_path / "none"))
    answer = dl("train", *words)
    assert answer.code == 2
    _, line = " ".join(answer.err.split("\n")).split("error: ")
    assert reason in " ".join(line.split())
    assert not (tmp_path / "none").exists()


def test_one_logit_is_attacked_like_two(dl: Dl) -> None:
    own = ("data=mnist_0_1", "limit_train=128", "trainer.epochs=1", "trainer.batch_size=32", "trainer.robust_limit=40", "--quiet")
    assert dl("train", "perceptron", *own, "adversary=pgd", "adversary.epsilon=0.5", "adversary.steps=2").code == 0
    assert result()["test/robust_accuracy"]["value"] < result()["test/accuracy"]["value"]


@pytest.mark.parametrize(
    ("recipe", "epsilon", "step_size"),
    [("mnist_robust_fast", 0.3, 0.18), ("mnist_robust", 0.3, 0.18), ("cifar10_robust", 8 / 255, 2 / 255)],
)
def test_a_recipe_is_selected_by_val_and_ends_at_the_papers_radius(recipe: str, epsilon: float, step_size: float) -> None:
    own = checked_settings("train", compose("train", [f"experiment={recipe}"]))
    assert isinstance(own, FitSettings)
    spec = replace(SPEC, epsilon={"linf": epsilon})
    objective = objective_of(own, LOSS, spec, total_steps=100)
    assert isinstance(objective, Adversarial | Trades)
    assert objective.radius.at(99) == pytest.approx(epsilon)
    assert objective.radius.step_size(99) == pytest.approx(step_size)
    assert monitor_of(plan_of(own), objective) == "val/robust_accuracy"


@pytest.mark.parametrize("name", ["pgd", "trades"])
def test_a_run_says_how_robust_it_is_epoch_by_epoch_and_on_test(dl: Dl, name: str) -> None:
    answer = dl("train", *TINY, "--adversary", name, *WEAK, "adversary.steps=2")
    assert answer.code == 0, answer.err
    path, metrics = newest(), result()
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    robust = [line["value"] for line in lines if (line["split"], line["name"]) == ("val", "robust_accuracy")]
    assert len(robust) == 2
    assert metrics["val/robust_accuracy"]["value"] == pytest.approx(max(robust))
    assert metrics["val/robust_accuracy"]["n"] == metrics["test/robust_accuracy"]["n"] == 40
    assert 0 <= metrics["test/robust_accuracy"]["low"] <= metrics["test/robust_accuracy"]["high"] <= 1
    described = json.loads((path / "run.json").read_text())["robustness"]
    assert described == "PGD-40, linf, epsilon 0.1, one random start, on 40 examples"


def test_the_lines_name_robust_accuracy_and_what_it_rests_on(dl: Dl) -> None:
    answer = dl("train", *[word for word in TINY if word != "--quiet"], "adversary=fgsm_rs", *WEAK)
    assert answer.code == 0, answer.err
    assert answer.err.count("· robust ") == 2
    assert "under PGD-40, linf, epsilon 0.1, one random start, on 40 examples" in " ".join(answer.err.split())


def test_none_gives_the_bytes_that_no_adversary_gives(dl: Dl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dl("train", *TINY).code == 0
    plain = outcome(newest())
    monkeypatch.setenv("DL_RUNS", str(tmp_path / "other"))
    assert dl("train", *TINY, "~adversary").code == 0
    assert outcome(newest()) == plain
    assert "test/robust_accuracy" not in plain["result"]


@pytest.mark.parametrize("place", ["_train_step", "_close_epoch"])
def test_an_adversarial_run_stopped_and_resumed_ends_as_if_it_had_not_been(
    dl: Dl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    own = (*TINY, "adversary=trades", *WEAK, "adversary.steps=2", "adversary.warmup=0.5", "trainer.ema=0.9")
    assert dl("train", *own).code == 0
    undisturbed = outcome(newest())
    monkeypatch.setenv("DL_RUNS", str(tmp_path / "other"))
    with stopped_at(4 if place == "_train_step" else 6, place=place):
        assert dl("train", *own).code == 143
    path = newest()
    assert dl("train", "--resume", path.name, "--quiet").code == 0
    assert outcome(path) == undisturbed


def test_with_an_adversary_a_network_withstands_more_than_without(dl: Dl) -> None:
    own = ("digits", "--epochs", "4", "--quiet", "limit_train=400", "trainer.robust_limit=100", "augment=none")
    assert dl("train", *own, "adversary=pgd", "adversary.epsilon=0.1", "adversary.steps=3").code == 0
    trained = result()["test/robust_accuracy"]["value"]
    # An adversary of radius next to 0 is plain training, judged at its own radius: so the attack is put to the plain run instead.
    assert dl("train", *own).code == 0
    assert dl("attack", "pgd", "attack.epsilon=0.1", "--limit", "100", "--quiet").code == 0
    attacked = next((newest().parents[2] / "attack").rglob("result.json"))
    plain = json.loads(attacked.read_text())["metrics"]["attack/robust_accuracy"]["value"]
    assert trained > plain + 0.1


# Finetuning


def test_the_head_alone_has_no_adversary_and_what_follows_has(dl: Dl) -> None:
    answer = dl("finetune", "--run", "builtin:mnist", "--data", "digits", "labels=60", "--epochs", "1", "--quiet", "--adversary",
                "fgsm_rs", "trainer.robust_limit=20")  # fmt: skip
    assert answer.code == 0, answer.err
    assert result()["test/robust_accuracy"]["n"] == 20


def test_a_linear_probe_refuses_an_adversary(dl: Dl) -> None:
    answer = dl(
        "finetune", "--run", "builtin:mnist", "--data", "digits", "labels=60", "--strategy", "linear-probe", "adversary=pgd"
    )
    assert answer.code == 2
    assert "an adversary changes images, and a linear probe sees features of them" in answer.err


# The guard


def test_a_run_whose_robust_accuracy_collapses_ends_there_and_keeps_the_best_weights(
    dl: Dl, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlcli.commands import judging

    figures = iter([0.3, 0.6, 0.1])
    monkeypatch.setattr(judging.Judge, "on_val", lambda *_: {"val/robust_accuracy": next(figures)})
    own = [word for word in TINY if word != "--quiet"]
    answer = dl("train", *own, "--epochs", "5", "adversary=fgsm_rs", *WEAK)
    assert answer.code == 0, answer.err
    said = " ".join(answer.err.split())
    assert "robust accuracy on val fell from 60.0 % to 10.0 %, by more than the guard of 20 points" in said
    assert "training ends after epoch 3" in said
    path = newest()
    index = json.loads((path / "checkpoints" / "index.json").read_text())
    assert index == {"best": "step-00000012", "last": "step-00000018"}
    assert result()["val/robust_accuracy"]["value"] == pytest.approx(0.6)
    assert "catastrophic overfitting" in (path / "log.txt").read_text()


def test_the_threads_and_the_global_generator_do_not_matter_to_what_is_built() -> None:
    before = torch.random.get_rng_state()
    objective_of(settings("adversary=trades"), LOSS, SPEC, total_steps=10)
    assert torch.equal(torch.random.get_rng_state(), before)
