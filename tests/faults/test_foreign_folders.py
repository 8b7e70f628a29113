"""Standing inside somebody else's folder gives it no power: not over what is built, not over what is run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlcli.config.build import trusted_packages
from dlcli.runs.find import list_runs
from dlcli.runs.record import describe_environment


@pytest.mark.parametrize("below", [".", "plots"])
def test_a_trust_file_in_or_below_a_run_folder_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    (tmp_path / "run.json").write_text("{}")
    folder = tmp_path / below
    folder.mkdir(exist_ok=True)
    (folder / "dlcli.yaml").write_text("trust: [evil]\n")
    monkeypatch.chdir(folder)
    assert "evil" not in trusted_packages()


def test_a_trust_file_of_the_users_own_folder_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dlcli.yaml").write_text("trust: [mine]\n")
    monkeypatch.chdir(tmp_path)
    assert "mine" in trusted_packages()


def test_recording_the_commit_runs_no_program_of_the_folders_git_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    repository = tmp_path / "repository"
    repository.mkdir()
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    (repository / "file").write_text("before")
    (repository / ".gitattributes").write_text("* filter=evil\n")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "a"], check=True)
    subprocess.run([*git, "config", "filter.evil.clean", f"touch {canary}; cat"], check=True)
    (repository / "file").write_text("after!")
    os.utime(repository / "file", (1, 1))
    monkeypatch.chdir(repository)
    assert len(str(describe_environment()["git"])) == 12
    assert not canary.exists()


def test_python_m_dlcli_imports_nothing_of_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "timm.py").write_text("raise SystemExit('imported')")
    code = "import runpy, sys; sys.argv = ['dlcli', '--version']\ntry: runpy.run_module('dlcli', run_name='__main__')\n"
    code += "except SystemExit: pass\nimport importlib.util; sys.exit(importlib.util.find_spec('timm') is not None)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_data_other_than_the_model_was_trained_on_are_refused(dl: Callable[..., Any]) -> None:
    assert dl("train", "digits", "--fast-dev-run", "--quiet").code == 0
    config = next(run.path for run in list_runs()) / "config.yaml"
    config.write_text(config.read_text().replace("dlcli.data.digits.Digits", "dlcli.data.mnist.MNIST"))
    answer = dl("evaluate", "--run", "digits", "--quiet")
    assert answer.code == 65
    assert "was trained on digits (1, 8, 8)" in answer.err


def test_a_pipe_in_place_of_the_index_does_not_hang_and_the_choice_is_said(dl: Callable[..., Any]) -> None:
    assert dl("train", "digits", "--fast-dev-run", "--quiet").code == 0
    index = next(run.path for run in list_runs()) / "checkpoints" / "index.json"
    index.unlink()
    os.mkfifo(index)
    answer = dl("evaluate", "--run", "digits", "--quiet")
    assert answer.code == 0
    assert "does not say which checkpoint is best" in answer.err
