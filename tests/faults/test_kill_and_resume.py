"""Processes killed at chosen and at random moments, stopped by signals, and resumed; see ``kill_and_resume.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults


def trials(*arguments: str, folder: Path) -> str:
    """Runs the trials in a process of their own: they fork, and pytest's process may have threads."""
    command = [sys.executable, "-m", "tests.faults.kill_and_resume", "--folder", str(folder), *arguments]
    done = subprocess.run(
        command, cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_killed_and_stopped_runs_end_like_one_that_nobody_disturbed(tmp_path: Path) -> None:
    said = trials("--kills", "4", "--points", "6", "--signals", folder=tmp_path)
    assert "6 of 6 crash points" in said
    assert "\n4 kills" in said
    assert "9 of 9 signals" in said


@pytest.mark.full
def test_every_crash_point_and_twenty_random_kills_end_like_one_that_nobody_disturbed(tmp_path: Path) -> None:
    assert "\n20 kills" in trials("--kills", "20", "--points", "all", folder=tmp_path)
