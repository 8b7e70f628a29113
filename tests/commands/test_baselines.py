"""Baselines on the rows of a bundle, and the table that shows them beside a network."""

from __future__ import annotations

import io

import pytest
import torch
from rich.console import Console

from dlcli.commands.baselines import BASELINES, baseline_metrics, comparison, select
from dlcli.contracts import Column, DataBundle, DataSpec, Metric
from dlcli.data.memory import MemorySplit

SPEC = DataSpec(
    name="t", shape=(1,), classes=("no", "yes"), mean=(0.0,), std=(1.0,), kind="table", epsilon={}, columns=(Column(name="x"),)
)


def bundle() -> DataBundle:
    """A class for each sign of x; a third of the train rows are positive."""

    def part(values: list[float]) -> MemorySplit:
        inputs = torch.tensor(values)[:, None]
        return MemorySplit(inputs, (inputs[:, 0] > 0).long())

    return DataBundle(SPEC, part([-3.0, -2.0, -1.0, -2.5, 1.0]), part([2.0]), part([-1.5, -0.8, 1.5, 0.9]))


def test_baselines_are_fitted_on_train_and_val_and_measured_on_test():
    metrics = baseline_metrics(bundle(), split="test")
    assert metrics["test/majority/accuracy"].value == 0.5
    assert metrics["test/majority/brier"].value == pytest.approx((2 / 6) ** 2 / 2 + (4 / 6) ** 2 / 2)
    assert metrics["test/logistic_regression/auroc"].value == 1.0
    assert {name.split("/")[1] for name in metrics} == set(BASELINES)


def test_figures_per_class_are_left_out():
    metrics = {"cv/auroc": Metric(0.8), "cv/recall/0": Metric(0.5), "cv/ece": Metric(0.1), "cv/nll": Metric(0.4)}
    assert set(select(metrics)) == {"cv/auroc", "cv/nll"}


def test_the_table_names_every_model_and_leaves_out_what_nobody_has():
    metrics = {"test/accuracy": Metric(0.9, 0.8, 0.95, 4, "wilson"), **baseline_metrics(bundle(), split="test")}
    console = Console(file=io.StringIO(), width=120)
    console.print(comparison(metrics, split="test"))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "90.00 [80.0, 95.0]" in text
    assert "logistic regression" in text
    assert "class shares" in text
    assert "AUROC" not in text
