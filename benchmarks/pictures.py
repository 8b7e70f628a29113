"""Makes the README's pictures by running the program: ``python -m benchmarks.pictures``."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import dlcli

GOAL = Path(__file__).resolve().parent.parent / "docs" / "pictures"


def main() -> None:
    """Trains, attacks and explains in a temporary runs folder, and copies one picture of each."""
    GOAL.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as runs:
        os.environ["DL_RUNS"] = runs
        run = dlcli.train("mnist")
        for result in (run, dlcli.attack("fgsm", run=run, limit=1000), dlcli.explain("gradcam", run=run)):
            for name, path in result.files.items():
                if path.endswith(".png"):
                    shutil.copy(result.path / path, GOAL / f"{name}.png")
                    print(GOAL / f"{name}.png")


if __name__ == "__main__":
    main()
