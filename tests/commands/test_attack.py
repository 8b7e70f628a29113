"""``dl attack`` on the shipped model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


def test_the_least_likely_class_is_harder_to_reach_than_any(dl: Dl) -> None:
    far = attacked(dl, "pgd", "attack.epsilon=0.1", "--targeted", "least-likely")[0]["metrics"]
    near = attacked(dl, "pgd", "attack.epsilon=0.1")[0]["metrics"]
    assert far["attack/success_rate"]["value"] < near["attack/success_rate"]["value"]
    assert far["attack/robust_accuracy"]["value"] > near["attack/robust_accuracy"]["value"]
    assert "attack/goal" not in far


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("attack pgd --targeted 10", ["--targeted 10", "no such class", "from 0 to 9, random or least-likely"]),
        ("attack pgd --targeted randm", ["did you mean 'random'?"]),
        ("attack noise --targeted 3", ["noise aims at no class", "leave out --targeted"]),
    ],
)
def test_a_goal_that_cannot_be_is_refused_before_there_is_a_run(dl: Dl, tmp_path: Path, typed: str, words: list[str]) -> None:
    answer = dl(*typed.split(), "--run", "builtin:mnist", "--quiet")
    assert answer.code == 2
    assert [word for word in words if word not in answer.err] == []
    assert len(answer.errors) <= 2
    assert not (tmp_path / "runs").exists()
