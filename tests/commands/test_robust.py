"""``dl evaluate --attack``: what is left of each score."""

from __future__ import annotations

import json

import pytest


def test_clean_and_robust_stand_side_by_side(dl) -> None:
    answer = dl("evaluate", "--run", "builtin:mnist", "--limit", "60", "--attack", "fgsm", "--json")
    assert answer.code == 0
    metrics = json.loads(answer.out)["metrics"]
    assert metrics["attack/clean_accuracy"]["value"] == metrics["test/accuracy"]["value"]
    assert metrics["attack/robust_accuracy"]["value"] < 0.5
    recalls = [metrics[f"attack/robust_recall/{number}"] for number in range(10)]
    hits = sum(entry["value"] * entry["n"] for entry in recalls if entry["n"])
    assert hits == pytest.approx(60 * metrics["attack/robust_accuracy"]["value"])
