"""``dl evaluate`` as a whole: its figures, its files, its tables."""

from __future__ import annotations

import csv
import json

import pytest
import torch
from rich.console import Console

from dlcli.commands.evaluate_tables import class_table, decision_table, robust_table, summary_table
from dlcli.commands.measure import measured, predictions_csv
from dlcli.contracts import Metric, Predictions
from dlcli.metrics.calibrated import fitted_calibration
from dlcli.runs.find import list_runs


def drawn(classes, count=400, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, classes, generator=generator) * 2
    targets = torch.multinomial((logits / 2).softmax(dim=1), 1, generator=generator)[:, 0]
    return Predictions(logits, targets, torch.arange(count))


def written(predictions, classes, *, stored):
    found = measured(predictions, classes, split="test", stored=stored)
    return list(csv.DictReader(predictions_csv(found, classes).decode().splitlines()))


def text_of(table):
    console = Console(width=160, quiet=False, force_terminal=False)
    with console.capture() as shown:
        console.print(table)
    return shown.get()


def test_the_class_table_has_a_row_a_class_with_its_name_made_safe() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    predictions = Predictions(logits, torch.tensor([0, 1, 1]), torch.arange(3))
    classes = ("plain", "bad\x1b[2Jname")
    found = measured(predictions, classes, split="test", stored={})
    text = text_of(class_table(classes, found.metrics, split="test"))
    assert "\x1b" not in text
    assert "\\x1b[2Jname" in text
    assert "50.00" in text.splitlines()[1]  # precision of the first class: one of two
    assert "\\x1b[2Jname" in text_of(decision_table(classes[1], found.metrics, split="test"))


def test_calibrated_figures_stand_beside_the_models_own() -> None:
    stored = fitted_calibration(drawn(3)).to_dict()
    metrics = measured(drawn(3, seed=1), ("a", "b", "c"), split="test", stored=stored).metrics
    assert metrics["calibration/temperature"].value == pytest.approx(2, rel=0.3)
    assert metrics["test/calibrated/nll"].value < metrics["test/nll"].value
    assert "T = " in text_of(summary_table("toy", metrics, split="test"))
    assert not any("threshold" in name for name in metrics)


def test_thresholds_of_val_decide_on_test() -> None:
    calibration = fitted_calibration(drawn(2))
    metrics = measured(drawn(2, seed=1), ("no", "yes"), split="test", stored=calibration.to_dict()).metrics
    assert metrics["test/threshold/top_10/selected"].value == pytest.approx(0.1, abs=0.05)
    assert metrics["test/threshold/half/recall"].value == metrics["test/recall/1"].value
    assert metrics["test/threshold/f1/at"].value == calibration.thresholds["f1"]


def test_predictions_are_written_with_calibrated_probabilities() -> None:
    predictions = drawn(3, 50)
    rows = written(predictions, ("a", "b", "c"), stored={"temperature": 2.0})
    assert [int(row["index"]) for row in rows] == list(range(50))
    chances = torch.tensor([[float(row[f"p({name})"]) for name in "abc"] for row in rows])
    assert torch.allclose(chances, (predictions.logits / 2).softmax(dim=1), atol=1e-5)
    assert all((row["target"] == row["predicted"]) == (row["right"] == "1") for row in rows)


def test_of_many_classes_only_two_probabilities_are_written() -> None:
    predictions, names = drawn(150, 20), tuple(map(str, range(150)))
    rows = written(predictions, names, stored={})
    chances = predictions.logits.double().softmax(dim=1)
    assert float(rows[3]["p(predicted)"]) == pytest.approx(float(chances[3].max()), rel=1e-4)
    assert float(rows[3]["p(target)"]) == pytest.approx(float(chances[3, predictions.targets[3]]), rel=1e-4)


def test_clean_and_robust_stand_side_by_side(dl) -> None:
    answer = dl("evaluate", "--run", "builtin:mnist", "--limit", "60", "--attack", "fgsm", "--json")
    assert answer.code == 0
    metrics = json.loads(answer.out)["metrics"]
    assert metrics["attack/clean_accuracy"]["value"] == metrics["test/accuracy"]["value"]
    assert metrics["attack/robust_accuracy"]["value"] < 0.5
    recalls = [metrics[f"attack/robust_recall/{number}"] for number in range(10)]
    hits = sum(entry["value"] * entry["n"] for entry in recalls if entry["n"])
    assert hits == pytest.approx(60 * metrics["attack/robust_accuracy"]["value"])
    shown = {name: Metric(**entry) if entry["value"] is not None else Metric(float("nan")) for name, entry in metrics.items()}
    assert "recall of 3" in text_of(robust_table("fgsm", tuple("0123456789"), shown, split="test"))


def test_everything_lies_in_the_runs_folder(dl) -> None:
    answer = dl("evaluate", "--run", "builtin:mnist", "--limit", "60", "--quiet")
    assert answer.code == 0
    result = next(list_runs()).result
    assert result is not None
    assert set(result.files) == {"confusion", "reliability", "mistakes", "predictions"}
    assert all((result.path / name).is_file() for name in result.files.values())
    with (result.path / "predictions.csv").open() as file:
        assert len(file.readlines()) == 61


def test_tables_are_not_attacked(dl) -> None:
    assert dl("train", "breast_cancer", "--epochs", "1", "--quiet").code == 0
    answer = dl("evaluate", "--attack", "fgsm", "--quiet")
    assert answer.code == 2
    assert "--attack changes images" in answer.err
