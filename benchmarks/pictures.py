"""Makes the README's pictures by running the program: ``python -m benchmarks.pictures``, or ``… NAME NAME`` for some of them."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import dlcli
from dlcli.cli.answer import exit_code_of
from dlcli.runs.record import Result

GOAL = Path(__file__).resolve().parent.parent / "docs" / "pictures"
# The run that makes each picture, by the picture's name there and here.
MADE: Mapping[str, Callable[[], Result]] = {
    "curves": lambda: dlcli.train("mnist"),
    "triple": lambda: dlcli.attack("fgsm", run="builtin:mnist", limit=1000),
    "overlays": lambda: dlcli.explain("gradcam", run="builtin:mnist", limit=8),
    "boundary": lambda: dlcli.train("moons"),
    "walks": lambda: dlcli.train("optimizer_study"),
    "probes": lambda: dlcli.explain("features", run="builtin:mnist"),
    "patches": lambda: dlcli.explain("features", run="builtin:mnist"),
    "surface": lambda: dlcli.explain("landscape", run="builtin:mnist"),
    "embedding": lambda: dlcli.explain("embedding", run="builtin:mnist"),
    "flow": lambda: dlcli.explain("gradients", run="builtin:mnist"),
    "robust_curve": lambda: dlcli.attack("report", run="builtin:mnist", limit=1000),
}
AUGMENTED = "augmented"


def main() -> int:
    """Runs the verbs in a temporary runs folder and copies a picture of each; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures")
    parser.add_argument("names", nargs="*", choices=[*MADE, AUGMENTED, []], help="all of them without a name")
    names = parser.parse_args().names or [*MADE, AUGMENTED]
    GOAL.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as runs:
        os.environ["DL_RUNS"] = runs
        for name in names:
            if name != AUGMENTED:
                keep(MADE[name](), name)
            elif code := exit_code_of(_sheet()):
                return code
    return 0


def _sheet() -> list[str]:
    return ["data", "show", "mnist", "--augment", "affine", "--per-class", "3", "--out", str(GOAL / f"{AUGMENTED}.png")]


def keep(result: Result, name: str) -> None:
    """Copies one picture of a run."""
    shutil.copy(result.path / result.files[name], GOAL / f"{name}.png")
    print(GOAL / f"{name}.png")


if __name__ == "__main__":
    sys.exit(main())
