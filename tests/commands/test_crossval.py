"""Cross-validation inside one run: every row is predicted by models that never saw it, and the last model by none."""

from __future__ import annotations

import csv
import json
import math
import random
from pathlib import Path

import pytest
import torch

from dlcli.checkpoint import unpack
from dlcli.commands.crossval import CrossValidation
from dlcli.contracts import Metric
from dlcli.errors import DataError
from dlcli.runs.run import read_checkpoint

FEW = ("trainer.epochs=2", "--quiet")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """60 people: the older half mostly left; ``note`` gives the answer away in words that no two rows share."""
    draw = random.Random(0)
    lines = ["age,city,left"]
    for row in range(60):
        left = row % 3 == 0
        lines.append(
            f"{draw.randint(40, 60) if left else draw.randint(20, 45)},{draw.choice(['Ulm', 'Bonn'])},{'Yes' if left else 'No'}"
        )
    path = tmp_path / "people.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def only_run(root: Path) -> Path:
    (path,) = (root / "train").glob("*/*/run.json")
    return path.parent


def test_a_run_with_folds_reports_pooled_figures_beside_baselines_and_no_test_figure(dl, table, tmp_path):
    answer = dl("train", "--data", str(table), "--target", "left", "--cv", "3x2", *FEW)
    assert answer.code == 0, answer.err
    run = only_run(tmp_path / "runs")
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    assert not [name for name in metrics if name.startswith(("test/", "val/"))]
    assert {f"cv/{name}" for name in ("accuracy", "auroc", "average_precision", "brier")} <= set(metrics)
    assert {"cv/logistic_regression/auroc", "cv/majority/accuracy", "train/accuracy"} <= set(metrics)
    assert metrics["cv/auroc"]["n"] == 60
    assert metrics["cv/majority/accuracy"]["value"] == pytest.approx(40 / 60)
    rows = list(csv.DictReader((run / "cv.csv").read_text().splitlines()))
    assert [row["target"] for row in rows] == ["Yes" if row % 3 == 0 else "No" for row in range(60)]
    assert all(float(row["p(No)"]) + float(row["p(Yes)"]) == pytest.approx(1, abs=1e-5) for row in rows)
    folds = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines() if '"cv"' in line]
    assert {line["step"] for line in folds} == set(range(6))


def test_the_last_model_is_trained_on_all_rows_and_carries_what_the_folds_fitted(dl, table, tmp_path):
    assert dl("train", "--data", str(table), "--target", "left", "--cv", "3", *FEW).code == 0
    run = only_run(tmp_path / "runs")
    found = CrossValidation.from_json((run / "cv.json").read_bytes(), source="cv.json")
    index = json.loads((run / "checkpoints" / "index.json").read_text())
    checkpoint = unpack(read_checkpoint(run, index["best"]), source="run")
    assert checkpoint.calibration == found.calibration
    thresholds = {name for name in found.calibration if name.startswith("threshold/")}
    assert thresholds >= {"threshold/balanced_accuracy", "threshold/f1", "threshold/top_20"}
    assert found.calibration["temperature"] > 0
    ages = [float(row["age"]) for row in csv.DictReader(table.read_text().splitlines())]
    assert checkpoint.spec.mean[0] == pytest.approx(sum(ages) / 60, rel=1e-6)


def test_no_later_verb_tests_the_last_model_on_rows_that_it_has_seen(dl, table):
    assert dl("train", "--data", str(table), "--target", "left", "--cv", "3", *FEW).code == 0
    answer = dl("evaluate", "--quiet")
    assert answer.code == 2
    assert "has no test data" in answer.err


def test_pooled_probabilities_come_from_models_that_did_not_see_the_row(dl, tmp_path):
    # The one row of a class of its own kind is a coin toss for a model that did not see it; a model that did learns it by heart.
    draw = random.Random(1)
    lines = ["a,b,left", *(f"{draw.random()},{draw.random()},{'Yes' if draw.random() < 0.5 else 'No'}" for _ in range(40))]
    (tmp_path / "noise.csv").write_text("\n".join(lines) + "\n")
    answer = dl(
        "train",
        "--data",
        str(tmp_path / "noise.csv"),
        "--target",
        "left",
        "--cv",
        "5",
        "trainer.epochs=150",
        "trainer.monitor=last",
        "trainer.patience=null",
        "model.widths=[64,64]",
        "model.dropout=0",
        "optimizer=adam",
        "optimizer.lr=0.01",
        "--quiet",
    )
    assert answer.code == 0, answer.err
    metrics = json.loads((only_run(tmp_path / "runs") / "result.json").read_text())["metrics"]
    assert metrics["train/accuracy"]["value"] > 0.85
    assert metrics["cv/accuracy"]["value"] < 0.75


def test_a_run_that_ends_after_its_folds_goes_on_without_them(dl, table, tmp_path):
    words = (
        "train",
        "--data",
        str(table),
        "--target",
        "left",
        "--cv",
        "3",
        "trainer.epochs=5",
        "trainer.monitor=last",
        "trainer.patience=null",
        "--quiet",
    )
    stopped = dl(*words, "trainer.max_time=0.000001")
    assert stopped.code == 1
    run = only_run(tmp_path / "runs")
    before = (run / "cv.json").read_bytes()
    resumed = dl("train", "--resume", run.name, "trainer.max_time=null", "--quiet")
    assert resumed.code == 0, resumed.err
    assert (run / "cv.json").read_bytes() == before
    assert "cv/auroc" in json.loads((run / "result.json").read_text())["metrics"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mnist", "--cv", "5"), "cv=5 needs a table that dl splits itself"),
        (("digits", "cv=1"), "cv=1: expected a number of folds from 2"),
        (("digits", "cv=many"), "cv=many: expected a number of folds from 2"),
        (("digits", "cv=5x0"), "cv=5x0: expected a number of folds from 2"),
        (("digits", "cv=5", "overfit=3"), "overfit=3 has no place"),
    ],
)
def test_folds_that_make_no_sense_are_one_line(dl, words, message):
    answer = dl("train", *words)
    assert answer.code == 2
    assert message in answer.err


def test_more_folds_than_examples_of_a_class_are_refused(dl, table):
    answer = dl("train", "--data", str(table), "--target", "left", "--cv", "30")
    assert answer.code == 2
    assert "the smallest class has 20 examples, too few for 30 folds" in answer.err


def test_what_the_folds_came_to_survives_json():
    found = CrossValidation({"cv/auroc": Metric(0.8, 0.7, 0.9, 60, "delong")}, 7, {"temperature": 1.5}, 120)
    assert CrossValidation.from_json(found.to_json(), source="x") == found
    with pytest.raises(DataError, match=r"x is damaged"):
        CrossValidation.from_json(b"{}", source="x")
    assert torch.isnan(
        torch.tensor(
            CrossValidation.from_json(CrossValidation({"a": Metric(float("nan"))}, 1, {}).to_json(), source="x")
            .metrics["a"]
            .value
        )
    )


def test_the_last_model_ends_at_the_rate_at_which_the_folds_were_best(dl, table, tmp_path):
    words = (
        "trainer.epochs=20",
        "trainer.monitor=val/loss",
        "trainer.patience=2",
        "trainer.log_every=1",
        "optimizer.lr=0.3",
        "scheduler=cosine",
    )
    assert dl("train", "--data", str(table), "--target", "left", "--cv", "3", "--quiet", *words).code == 0
    run = only_run(tmp_path / "runs")
    chosen = json.loads((run / "cv.json").read_text())["epochs"]
    assert chosen < 20
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    epochs = {line["epoch"] for line in lines if line["split"] == "train" and line["name"] == "accuracy"}
    assert epochs == set(range(chosen))
    rates = [line["value"] for line in lines if line["name"] == "lr"]
    expected = 0.3 * (1 + math.cos(math.pi * chosen / 20)) / 2
    assert rates[-1] == pytest.approx(expected, rel=0.25)  # and not 0, where a cycle of its own would end


def test_rows_with_a_copy_are_counted(dl, table):
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *rows, *rows]) + "\n")
    answer = dl("train", "--data", str(table), "--target", "left", "--cv", "3", "trainer.epochs=1")
    assert answer.code == 0, answer.err
    assert "120 of 120 rows have a copy" in answer.err


def test_class_shares_have_no_ranking_and_a_sweep_shows_the_folds_figure(dl, table, tmp_path):
    answer = dl("train", "--data", str(table), "--target", "left", "--cv", "3", "trainer.epochs=1", "--seeds", "2")
    assert answer.code == 0, answer.err
    assert "cv/accuracy" in answer.err
    result = next((tmp_path / "runs" / "train").glob("*/*/result.json"))
    metrics = json.loads(result.read_text())["metrics"]
    assert "cv/majority/accuracy" in metrics
    assert "cv/majority/auroc" not in metrics
    assert "cv/accuracy" in dl("runs").out


def test_a_table_of_six_rows_can_be_folded_or_says_why_not(dl, tmp_path):
    (tmp_path / "six.csv").write_text("a,left\n1,Yes\n2,No\n3,Yes\n2,No\n5,Yes\n1,No\n")
    answer = dl("train", "--data", str(tmp_path / "six.csv"), "--target", "left", "--cv", "2", "trainer.epochs=1", "--quiet")
    assert answer.code == 0, answer.err
