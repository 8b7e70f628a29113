"""Images per second from a folder of photos: dl's streamed splits against torchvision's ``ImageFolder`` and a ``DataLoader``."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from benchmarks.measure import PYTHON, Goal, machine, median, run_alternating, save
from benchmarks.sides import peer

FIGURE = "images_per_second"
WORKERS = (0, 2)


def run(repeats: int) -> None:
    """Measures three epochs of 600 JPEGs of 500 x 375, shorter side to 256 and its middle of 224, in batches of 64."""
    with tempfile.TemporaryDirectory() as name:
        root = str(Path(name) / "photos")
        subprocess.run([PYTHON, "-m", "benchmarks.peers.photos", root], check=True)
        before = machine()
        sides = {
            (module, workers): peer(f"{said}, {workers} workers", module, "--data", root, "--workers", str(workers))
            for workers in WORKERS
            for module, said in (("streamed_folder", "dlcli"), ("image_folder", "torchvision"))
        }
        trials = run_alternating(list(sides.values()), repeats)
    goals = []
    for workers in WORKERS:
        ours, theirs = (trials[sides[module, workers].name] for module in ("streamed_folder", "image_folder"))
        if abs(median(ours, "mean") - median(theirs, "mean")) > 0.002:
            raise RuntimeError("the two sides do not show the same pictures")
        ratio = median(ours, FIGURE) / median(theirs, FIGURE)
        goals.append(Goal(f"dlcli / torchvision, {workers} workers", ratio, 1, at_least=True))
    save("stream", before, trials, goals)
