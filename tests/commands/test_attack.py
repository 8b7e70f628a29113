"""``dl attack`` on the shipped model."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcli.commands.console import Talk
from dlcli.commands.models import load_model
from dlcli.data.mnist import MNIST

Dl = Callable[..., Any]


def attacked(dl: Dl, *typed: str, limit: int = 40) -> tuple[dict[str, Any], Path, str]:
    """The result, the run's folder, and what was said."""
    answer = dl("attack", *typed, "--run", "builtin:mnist", "--limit", str(limit), "--json")
    assert answer.code == 0, answer.err
    result = json.loads(answer.out)
    (folder,) = Path(answer.err.split("attack run: ")[1].splitlines()[0]).parent.glob(result["id"])
    return result, folder, answer.err


def test_a_goal_is_named_wherever_the_attack_is_reported(dl: Dl) -> None:
    result, folder, said = attacked(dl, "pgd", "--targeted", "7")
    metrics = result["metrics"]
    assert "to be taken for 7" in said
    assert "taken for 7, of the other correctly classified" in said
    assert metrics["attack/goal"]["value"] == 7
    assert json.loads((folder / "run.json").read_text())["goal"] == "7"
    others = int((MNIST().load().test.targets[:40] != 7).sum())
    assert metrics["attack/clean_accuracy"]["value"] == 1
    assert metrics["attack/success_rate"]["n"] == others < 40


def test_an_attack_is_called_what_was_typed(dl: Dl) -> None:
    said = attacked(dl, "bim")[2]
    assert "bim · linf" in said
    assert "PGD" not in said


def test_the_least_likely_class_is_harder_to_reach_than_any(dl: Dl) -> None:
    far = attacked(dl, "pgd", "attack.epsilon=0.1", "--targeted", "least-likely")[0]["metrics"]
    near = attacked(dl, "pgd", "attack.epsilon=0.1")[0]["metrics"]
    assert far["attack/success_rate"]["value"] < near["attack/success_rate"]["value"]
    assert far["attack/robust_accuracy"]["value"] > near["attack/robust_accuracy"]["value"]
    assert "attack/goal" not in far


def test_a_minimum_norm_attack_tells_distances_and_its_accuracy_within_the_datas_own_radius(dl: Dl) -> None:
    result, folder, said = attacked(dl, "deepfool")
    metrics = result["metrics"]
    test = MNIST().load().test
    assert test is not None
    with np.load(folder / result["files"]["adversarial"]) as kept:
        distances = (torch.tensor(kept["adversarial"]) - test.inputs[:40] / 255).flatten(1).norm(dim=1)
    assert "robust accuracy within 2 (l2)" in said
    assert metrics["attack/epsilon"]["value"] == 2.0
    assert metrics["attack/success_rate"]["value"] == 1
    assert metrics["attack/robust_accuracy"]["value"] == float((distances > 2.0).float().mean())
    assert metrics["attack/mean_distance"]["value"] == pytest.approx(float(distances.mean()), rel=1e-5)
    assert metrics["attack/median_l2"]["low"] < float(distances.median()) < metrics["attack/median_l2"]["high"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("attack pgd --targeted 10", ["--targeted 10", "no such class", "from 0 to 9, random or least-likely"]),
        ("attack pgd --targeted randm", ["did you mean 'random'?"]),
        ("attack noise --targeted 3", ["noise aims at no class", "leave out --targeted"]),
        ("attack hopskipjump --targeted 3", ["hopskipjump aims at no class", "leave out --targeted"]),
    ],
)
def test_a_goal_that_cannot_be_is_refused_before_there_is_a_run(dl: Dl, tmp_path: Path, typed: str, words: list[str]) -> None:
    answer = dl(*typed.split(), "--run", "builtin:mnist", "--quiet")
    assert answer.code == 2
    assert [word for word in words if word not in answer.err] == []
    assert len(answer.errors) <= 2
    assert not (tmp_path / "runs").exists()


def test_the_files_of_a_run_can_be_checked_by_others(dl: Dl) -> None:
    result, folder, _ = attacked(dl, "pgd", "attack.norm=l2", "--save-examples")
    assert set(result["files"]) == {"triple", "examples", "adversarial"}
    lines = list(csv.DictReader((folder / result["files"]["examples"]).read_text().splitlines()))
    with np.load(folder / result["files"]["adversarial"], allow_pickle=False) as archive:
        images, levels = torch.from_numpy(archive["adversarial"]), torch.from_numpy(archive["adversarial_8bit"])
        assert archive["index"].tolist() == [int(line["index"]) for line in lines] == list(range(40))
    test = MNIST().load().test
    assert test is not None
    moved = images - test.inputs[:40] / 255
    assert [float(line["l2"]) for line in lines] == pytest.approx(moved.flatten(1).norm(dim=1).tolist(), abs=1e-4)
    model = load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=Talk(quiet=True)).model
    rates = []
    for tensor in (images, levels / 255):
        fooled = model(tensor).argmax(dim=1) != test.targets[:40]
        rates.append(float(fooled.float().mean()))
    metrics = result["metrics"]
    assert metrics["attack/clean_accuracy"]["value"] == 1
    assert [metrics[f"attack/success_rate{name}"]["value"] for name in ("", "_8bit")] == pytest.approx(rates)
    assert metrics["attack/median_l2"]["high"] <= 2 + 1e-5
    assert sum(line["success"] == "1" for line in lines) == pytest.approx(40 * rates[0])


def test_a_dry_run_says_the_cost_and_writes_nothing(dl: Dl, tmp_path: Path) -> None:
    answer = dl("attack", "pgd", "--run", "builtin:mnist", "--limit", "64", "--dry-run")
    assert answer.code == 0, answer.err
    assert "estimated cost: about " in answer.err
    assert "(the first 16 of 64 examples took " in answer.err
    assert "more at once take less each; nothing was written" in answer.err
    assert not (tmp_path / "runs").exists()
