"""Evaluating on data from elsewhere: classes by name, columns by name, nothing that the model cannot know."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from dlcli.commands.other_data import class_numbers
from dlcli.errors import UsageError


def write_table(path: Path, *, rows: int = 60, seed: int = 0, labels: tuple[str, str] = ("no", "yes"), age: str = "age") -> Path:
    ages = torch.randint(18, 60, (rows,), generator=torch.Generator().manual_seed(seed)).tolist()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["left", "team", age])
        writer.writerows([labels[int(years < 35)], "ab"[years % 2], years] for years in ages)
    return path


@pytest.fixture
def trained(dl: Callable[..., Any], tmp_path: Path) -> str:
    table = write_table(tmp_path / "people.csv")
    assert dl("train", "--data", str(table), "--target", "left", "--epochs", "2", "--quiet", "--name", "people").code == 0
    return "people"


def test_classes_are_matched_by_name() -> None:
    assert class_numbers(("b", "a"), ("a", "b", "c"), name="x").tolist() == [1, 0]
    with pytest.raises(UsageError, match=r"a class that the model does not know: 'd'|know: d"):
        class_numbers(("a", "d"), ("a", "b"), name="x")


def test_all_rows_of_another_table_are_measured_with_the_models_own_columns(dl, trained, tmp_path) -> None:
    other = write_table(tmp_path / "others.csv", rows=45, seed=1)
    answer = dl("evaluate", "--run", trained, "--data", str(other), "--target", "left", "--json")
    assert answer.code == 0
    assert json.loads(answer.out)["metrics"]["test/accuracy"]["n"] == 45


def test_rows_that_were_trained_on_are_counted(dl, trained, tmp_path) -> None:
    answer = dl("evaluate", "--run", trained, "--data", str(tmp_path / "people.csv"), "--target", "left", "--quiet")
    assert answer.code == 0
    assert "of 60 rows are among those that the model was trained on" in answer.err


@pytest.mark.parametrize(
    "case",
    [
        ({"labels": ("no", "maybe")}, "left", 2, "a class that the model does not know: maybe"),
        ({"age": "years"}, "left", 65, "lacks 1 of the model's 2 columns: age"),
        ({}, "lefd", 2, "did you mean 'left'?"),
    ],
)
def test_what_the_model_cannot_know_is_refused(dl, trained, tmp_path, case) -> None:
    made, target, code, said = case
    other = write_table(tmp_path / "others.csv", seed=2, **made)
    answer = dl("evaluate", "--run", trained, "--data", str(other), "--target", target, "--quiet")
    assert answer.code == code
    assert said in answer.err


def test_all_images_of_another_folder_are_measured_and_decoded_as_the_models_own(dl, tmp_path) -> None:
    for label in "37":
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (40, 40), (30 * number, 9, 9)).save(tmp_path / "photos" / label / f"{number}.png")
    answer = dl("evaluate", "--run", "builtin:mnist", "--data", str(tmp_path / "photos"), "--json")
    assert answer.code == 0
    metrics = json.loads(answer.out)["metrics"]
    assert metrics["test/accuracy"]["n"] == 8
    assert metrics["test/recall/3"]["n"] == metrics["test/recall/7"]["n"] == 4


def test_images_are_no_table_and_other_sets_have_other_classes(dl, trained) -> None:
    answer = dl("evaluate", "--run", trained, "--data", "mnist", "--quiet")
    assert answer.code == 2
    assert "--data mnist holds images" in answer.err
    answer = dl("evaluate", "--run", "builtin:mnist", "--data", "breast_cancer", "--quiet")
    assert answer.code == 2
    assert "holds tables" in answer.err
