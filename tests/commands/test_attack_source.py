"""Examples that are made on one model and judged on another."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dlcli.commands.attack_source import for_transfer, load_source
from dlcli.commands.console import Talk
from dlcli.commands.models import load_model
from dlcli.commands.subject import Subject
from dlcli.data.memory import MemorySplit
from dlcli.errors import UsageError

Dl = Callable[..., Any]
TALK = Talk(quiet=True)
CPU = torch.device("cpu")


def subject(reference: str, **changes: Any) -> Subject:
    loaded = load_model(reference, which="best", device=CPU, talk=TALK)
    loaded.model.spec = replace(loaded.model.spec, **changes)
    return Subject(loaded, MemorySplit(torch.zeros(0, 1, 8, 8), torch.zeros(0)), CPU)


def test_without_a_reference_the_attack_looks_at_the_judged_model() -> None:
    assert load_source(None, subject("builtin:mnist"), TALK) is None


@pytest.mark.usefixtures("runs")
def test_a_source_that_reads_other_inputs_is_refused_with_both_names_and_shapes() -> None:
    with pytest.raises(UsageError, match="builtin-mnist reads images of 1×28×28, not images of 1×8×8 as digits does"):
        load_source("builtin:mnist", subject("digits"), TALK)


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("classes", "words"),
    [(("a", "b"), "digits knows 10 classes, flat 2"), (tuple("1234567890"), "digits knows other classes than flat")],
)
def test_a_source_of_other_classes_is_refused(classes: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_source("digits", subject("flat", classes=classes), TALK)


def test_for_another_model_all_steps_are_taken_unless_the_user_said_otherwise() -> None:
    node = {"_target_": "x", "early_stop": True}
    assert for_transfer(node, ["attack=pgd"], TALK)["early_stop"] is False
    assert for_transfer(node, ["attack.early_stop=true"], TALK) == node
    assert for_transfer({"_target_": "x"}, [], TALK) == {"_target_": "x"}


@pytest.mark.usefixtures("runs")
def test_what_is_made_on_one_model_fools_another_less_often(dl: Dl) -> None:
    def rate(*typed: str) -> tuple[float, int, str]:
        answer = dl("attack", "pgd", "attack.epsilon=0.1", "--run", "digits", "--limit", "100", "--json", *typed)
        assert answer.code == 0, answer.err
        entry = json.loads(answer.out)["metrics"]["attack/success_rate"]
        return entry["value"], entry["n"], answer.err

    (own, right, _), (transferred, among, said) = rate(), rate("--source", "flat")
    assert 0 < transferred < own
    assert right == among  # what the judged model has right, whatever the source makes of it
    assert "made on flat, judged on digits" in said


@pytest.mark.usefixtures("runs")
def test_the_run_names_its_source(dl: Dl) -> None:
    answer = dl("attack", "fgsm", "--run", "digits", "--source", "flat", "--limit", "20", "--json")
    folder = next((Path(answer.err.split("attack run: ")[1].splitlines()[0])).parent.glob("2*"))
    about = json.loads((folder / "run.json").read_text())
    flat = next(folder.parents[2].glob("train/flat/2*")).name
    digits = next(folder.parents[2].glob("train/digits/2*")).name
    assert (about["source"], about["parent"]) == (flat, digits)
