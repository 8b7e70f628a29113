"""The tables of ``dl evaluate``: what stands where, and names made safe."""

from __future__ import annotations

import torch
from rich.console import Console

from dlcli.commands.evaluate_tables import class_table, decision_table, robust_table, summary_table
from dlcli.commands.measure import measured
from dlcli.contracts import Metric, Predictions


def measured_toy(classes, *, stored):
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    predictions = Predictions(logits, torch.tensor([0, 1, 1]), torch.arange(3))
    return measured(predictions, classes, split="test", stored=stored).metrics


def text_of(table):
    console = Console(width=160, quiet=False, force_terminal=False)
    with console.capture() as shown:
        console.print(table)
    return shown.get()


def test_the_class_table_has_a_row_a_class_with_its_name_made_safe() -> None:
    classes = ("plain", "bad\x1b[2Jname")
    metrics = measured_toy(classes, stored={})
    text = text_of(class_table(classes, metrics, split="test"))
    assert "\x1b" not in text
    assert "\\x1b[2Jname" in text
    assert "50.00" in text.splitlines()[1]  # precision of the first class: one of two
    assert "\\x1b[2Jname" in text_of(decision_table(classes[1], metrics, split="test"))


def test_the_summary_has_a_column_for_calibrated_figures_where_there_are_some() -> None:
    assert "T = 2.00" in text_of(summary_table("toy", measured_toy(("a", "b"), stored={"temperature": 2.0}), split="test"))
    text = text_of(summary_table("toy", measured_toy(("a", "b"), stored={}), split="test"))
    assert "calibrated (T" not in text
    assert "a perfectly calibrated model of this size" in text


def test_a_threshold_stands_with_the_probability_that_val_chose() -> None:
    metrics = measured_toy(("a", "b"), stored={"temperature": 1.0, "threshold/top_10": 0.85})
    line = next(line for line in text_of(decision_table("b", metrics, split="test")).splitlines() if "capacity" in line)
    assert line.split()[:4] == ["10", "%", "capacity", "85.0"]


def test_clean_and_robust_stand_side_by_side() -> None:
    names = ("accuracy", "balanced_accuracy", "macro_f1", "recall/0", "recall/1")
    clean = {f"test/{name}": Metric(0.9, 0.8, 0.95, 100, "wilson") for name in names}
    robust = {f"attack/robust_{name}": Metric(0.1, 0.05, 0.2, 100, "wilson") for name in names}
    metrics = clean | robust | {"attack/noise_accuracy": Metric(0.7, n=100)}
    lines = text_of(robust_table("fgsm", ("cat", "dog"), metrics, split="test")).splitlines()
    assert lines[-1].split()[:4] == ["recall", "of", "dog", "90.00"]
    assert "10.00" in lines[-1]
    assert "70.00" in next(line for line in lines if "noise" in line)
