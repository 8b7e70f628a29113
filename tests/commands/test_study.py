"""A study is a run without a model: it has figures and pictures, and no later verb takes it for one."""

from __future__ import annotations

import json


def test_a_study_leaves_a_run_with_its_figures_and_picture(dl, tmp_path):
    answer = dl("train", "optimizer_study", "study.steps=20", "study.starts=5")
    assert answer.code == 0, answer.err
    (run,) = [path.parent for path in (tmp_path / "runs" / "train" / "optimizer_study").glob("*/result.json")]
    metrics = json.loads((run / "result.json").read_text())["metrics"]
    assert metrics["study/stuck/adam"]["n"] == 5
    assert (run / "plots" / "walks.png").read_bytes().startswith(b"\x89PNG")
    assert "adam" in answer.err


def test_a_study_is_not_the_newest_model(dl):
    assert dl("train", "optimizer_study", "study.steps=5", "--quiet").code == 0
    answer = dl("evaluate", "--limit", "50")
    assert answer.code == 0, answer.err
    assert "using the shipped model builtin:mnist" in answer.err


def test_a_dry_run_of_a_study_writes_nothing(dl, tmp_path):
    answer = dl("train", "optimizer_study", "--dry-run")
    assert answer.code == 0, answer.err
    assert "styblinski_tang" in answer.err
    assert not (tmp_path / "runs").exists()


def test_a_wrong_key_of_a_study_is_one_line(dl):
    answer = dl("train", "optimizer_study", "study.momentum=2")
    assert answer.code == 2
    assert "study.momentum must be in [0, 1), got 2" in answer.err


def test_an_interrupted_study_is_not_gone_on_with_as_a_training_run(dl, tmp_path):
    assert dl("train", "optimizer_study", "study.steps=5", "--quiet").code == 0
    (result,) = (tmp_path / "runs").glob("train/optimizer_study/*/result.json")
    result.unlink()
    named = dl("train", "--resume", result.parent.name)
    assert named.code == 2
    assert "is a study: it has no steps to go on from" in named.err
    assert "no unfinished train run" in dl("train", "--resume").err
    assert not (result.parent / "checkpoints").exists() or not list((result.parent / "checkpoints").iterdir())


def test_what_a_study_would_ignore_is_refused(dl, tmp_path):
    answer = dl("train", "optimizer_study", "--epochs", "3")
    assert answer.code == 2
    assert "a study trains no network: trainer.epochs=3 has no place" in answer.err
    assert not (tmp_path / "runs").exists()
