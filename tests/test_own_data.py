"""A folder of images and a table of a stranger, from the command line to a model that later verbs take."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

QUICK = ("trainer.epochs=2", "model=small_cnn", "data.size=16")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twenty reddish and twenty bluish images."""
    draw = np.random.default_rng(0)
    root = tmp_path / "my photos"
    for place, label in enumerate(("red", "blue")):
        (root / label).mkdir(parents=True)
        for number in range(20):
            pixels = draw.integers(0, 80, (20, 24, 3), dtype=np.uint8)
            pixels[:, :, 2 * place] += 150
            Image.fromarray(pixels).save(root / label / f"{number}.png")
    return root


def test_a_folder_of_images_trains_evaluates_and_explains(dl, photos, tmp_path):
    answer = dl("train", "--data", str(photos), *QUICK)
    assert answer.code == 0, answer.err
    assert "28 train, 6 val, 6 test" in answer.err
    assert "dl finetune --data" in answer.err  # few photos are pointed to it
    (run,) = [path.parent for path in (tmp_path / "runs" / "train" / "my-photos").glob("*/result.json")]
    assert json.loads((run / "result.json").read_text())["metrics"]["test/accuracy"]["n"] == 6
    assert dl("evaluate", "--quiet").code == 0
    assert dl("explain", "gradcam", "--quiet", "--limit", "4").code == 0
    assert dl("attack", "fgsm", "--quiet").code == 0


def test_later_verbs_find_the_data_from_another_folder(dl, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(photos.parent)
    assert dl("train", "--data", "./my photos", "--quiet", *QUICK).code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    answer = dl("evaluate", "--quiet")
    assert answer.code == 0, answer.err


def test_a_folder_whose_images_cannot_be_read_names_them_and_the_way_out(dl, photos):
    (photos / "red" / "broken\x1b[2J.png").write_bytes(b"no image")
    (photos / "red" / "empty.jpg").write_bytes(b"")
    answer = dl("train", "--data", str(photos), *QUICK)
    assert answer.code == 65
    assert "\x1b" not in answer.err
    assert "empty.jpg" in answer.err
    assert "data.skip_unreadable=true" in answer.err
    skipped = dl("train", "--data", str(photos), "data.skip_unreadable=true", *QUICK)
    assert skipped.code == 0, skipped.err


def test_a_table_trains_and_evaluates_and_an_attack_moves_its_numbers_and_never_its_words(dl, tmp_path):
    path = tmp_path / "people.csv"
    rows = [f"{20 + row % 30},{'Ulm' if row % 3 else 'Bonn'},{'Yes' if row % 30 > 20 else 'No'}" for row in range(120)]
    path.write_text("\n".join(["age,city,left", *rows]) + "\n")
    answer = dl("train", "--data", str(path), "--target", "left", "trainer.epochs=30")
    assert answer.code == 0, answer.err
    assert "logistic regression" in answer.err
    (run,) = [own.parent for own in (tmp_path / "runs" / "train" / "people").glob("*/result.json")]
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    assert {"test/auroc", "test/average_precision", "test/logistic_regression/auroc", "test/majority/accuracy"} <= set(metrics)
    evaluated = dl("evaluate")
    assert evaluated.code == 0, evaluated.err
    attacked = dl("attack", "fgsm", "attack.epsilon=1")
    assert attacked.code == 0, attacked.err
    (changes,) = (tmp_path / "runs" / "attack").rglob("changes.csv")
    moved = {line.split(",")[1] for line in changes.read_text().splitlines()[1:]}
    assert moved == {"age"}


def test_a_wrong_target_is_one_line_with_the_right_one(dl, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("age,left\n" + "20,Yes\n30,No\n" * 20)
    answer = dl("train", "--data", str(path), "--target", "lefft")
    assert answer.code == 2
    assert "did you mean 'left'?" in answer.err
    assert len(answer.errors) <= 2


def test_a_table_that_has_changed_since_training_is_refused(dl, tmp_path):
    path = tmp_path / "data (1).csv"
    rows = [f"{20 + row % 30},{'Ulm' if row % 3 else 'Bonn'},{'Yes' if row % 30 > 20 else 'No'}" for row in range(120)]
    path.write_text("\n".join(["age,city,left", *rows]) + "\n")
    assert dl("train", "--data", str(path), "--target", "left", "trainer.epochs=2", "--quiet").code == 0
    assert dl("evaluate", "--quiet").code == 0
    path.write_text("\n".join(["age,city,left", *(row.replace("Bonn", "Aachen") for row in rows)]) + "\n")
    answer = dl("evaluate", "--quiet")
    assert answer.code == 65
    assert "have changed since" in answer.err


def left(path: Path, rows: list[str], header: str = "a,left") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


FLOATS = [f"{row % 7},{row / 7:.3f}" for row in range(15)]
HALVES = ["1,Yes", "2,No"] * 20


@pytest.mark.parametrize(
    ("rows", "words", "answered"),
    [
        (FLOATS, (), (65, "that is a number to predict")),
        (HALVES, ("data.test_share=0.5", "data.val_share=0.499"), (65, "leave none to train on")),
        (HALVES, ("--workers", "100000"), (2, "workers=100000: expected at most")),
    ],
    ids=["numbers", "shares", "workers"],
)
def test_what_cannot_be_learned_from_is_one_line(dl, tmp_path, rows, words, answered):
    path = left(tmp_path / "people.csv", rows)
    answer = dl("train", "--data", str(path), "--target", "left", "trainer.epochs=1", *words)
    assert answer.code == answered[0]
    assert answered[1] in answer.err
    assert len(answer.errors) <= 2


def test_a_pipe_is_no_table_and_nobody_waits_for_it(dl, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    answer = dl("train", "--data", str(tmp_path / "pipe.csv"), "--target", "left")
    assert answer.code == 2
    answer = dl("train", "experiment=own_table", f"data.path={tmp_path}/pipe.csv", "data.target=left")
    assert answer.code == 74
    assert "is a pipe or a device, expected a CSV file" in answer.err


def test_a_file_called_tilde_is_a_file(dl, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    left(tmp_path / "~.csv", ["1,Yes", "2,No"] * 20)
    answer = dl("train", "--data", "~.csv", "--target", "left", "trainer.epochs=1", "--quiet")
    assert answer.code == 0, answer.err


def test_classes_that_may_be_the_same_and_the_names_of_many_are_said(dl, tmp_path):
    path = left(tmp_path / "people.csv", [f"{row % 9},{('Yes', 'No', 'yes', 'no')[row % 4]}" for row in range(80)])
    answer = dl("train", "--data", str(path), "--target", "left", "trainer.epochs=1")
    assert answer.code == 0, answer.err
    assert "4 classes: " in answer.err
    assert "count as two" in answer.err


def test_a_table_of_categories_alone_prints_no_warning_of_a_library(python, tmp_path):
    path = left(tmp_path / "words.csv", [f"{'xy'[row % 2]},{'Yes' if row % 3 else 'No'}" for row in range(60)])
    code = "import sys; from dlcli.cli.answer import exit_code_of; sys.exit(exit_code_of(sys.argv[1:]))"
    words = ("train", "--data", str(path), "--target", "left", "trainer.epochs=1")
    answer = python(code, *words, DL_RUNS=str(tmp_path / "runs"), PYTHONWARNINGS="default")
    assert answer.code == 0, answer.err
    assert "UserWarning: std()" not in answer.err


def test_weights_of_classes_may_be_numbers(dl, tmp_path):
    path = left(tmp_path / "people.csv", ["1,Yes", "2,No"] * 20)
    words = ("--target", "left", "trainer.epochs=1", "--class-weights", "[1,2]", "--quiet")
    assert dl("train", "--data", str(path), *words).code == 0
