"""Makes the README's pictures by running the program: ``python -m benchmarks.pictures``."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import dlcli
from dlcli.cli.answer import exit_code_of
from dlcli.runs.record import Result

GOAL = Path(__file__).resolve().parent.parent / "docs" / "pictures"


def main() -> int:
    """Runs the verbs in a temporary runs folder and copies a picture or two of each; returns the exit code of the last."""
    GOAL.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as runs:
        os.environ["DL_RUNS"] = runs
        run = dlcli.train("mnist")
        keep(run, "curves")
        keep(dlcli.attack("fgsm", run=run, limit=1000), "triple")
        keep(dlcli.explain("gradcam", run=run), "overlays")
        keep(dlcli.train("moons"), "boundary")
        keep(dlcli.train("optimizer_study"), "walks")
        sheet = ["data", "show", "mnist", "--augment", "affine", "--per-class", "3"]
        return exit_code_of([*sheet, "--out", str(GOAL / "augmented.png")])


def keep(result: Result, name: str) -> None:
    """Copies one picture of a run."""
    shutil.copy(result.path / result.files[name], GOAL / f"{name}.png")
    print(GOAL / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
