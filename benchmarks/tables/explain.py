"""Grad-CAM against captum and grad-cam on ResNet-18: the same maps first, then time and memory; evidence, surface, tables."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np

from benchmarks.measure import Goal, Trial, machine, median, run_alternating, save
from benchmarks.sides import DL, dl, peer, workplace

LIBRARIES = ("dlcli", "dlcli-six", "captum", "grad-cam")
APART = 1e-5  # of maps from 0 to 1, at most
TRUST_IMAGES = 64


def run(repeats: int) -> None:
    """Measures the libraries side by side, then what has no peer: evidence beside maps, a loss surface, rows of a table."""
    before = machine()
    with workplace() as folder:
        sides = {name: peer(name, "explain", name, "--maps", str(folder / f"{name}.npy")) for name in LIBRARIES}
        trials = run_alternating(list(sides.values()), repeats)
        apart = {name: _apart(folder, name) for name in ("dlcli-six", "captum", "grad-cam")}
        table = _trained()
        own = [
            dl("evidence", "explain", "gradcam", "--run", "builtin:mnist", "--limit", str(TRUST_IMAGES), "--evidence"),
            dl("landscape", "explain", "landscape", "--run", "builtin:mnist"),
            peer("attrition", "explain", "people", "--run", table),
        ]
        trials |= run_alternating(own, repeats)
    save("explain", before, trials, _goals(trials, apart), largest_difference=apart)


def _trained() -> str:
    answer = subprocess.run([DL, "train", "attrition", "--quiet", "--json"], check=True, capture_output=True, text=True)
    return str(json.loads(answer.stdout)["id"])


def _apart(folder: Path, name: str) -> float:
    """The largest difference of a library's maps from dlcli's."""
    return float(np.abs(np.load(folder / f"{name}.npy") - np.load(folder / "dlcli.npy")).max())


def _goals(trials: dict[str, list[Trial]], apart: dict[str, float]) -> list[Goal]:
    seconds = {name: median(trials[name], "explain_seconds") for name in LIBRARIES}
    memory = median(trials["dlcli"], "peak_mb") / median(trials["grad-cam"], "peak_mb")
    return [
        *(Goal(f"largest difference of maps: {name} and dlcli", value, APART, at_least=False) for name, value in apart.items()),
        Goal("Grad-CAM images/s: dlcli / captum", seconds["captum"] / seconds["dlcli"], 1, at_least=True),
        Goal("Grad-CAM images/s: dlcli / grad-cam", seconds["grad-cam"] / seconds["dlcli"], 3, at_least=True),
        Goal("peak memory: dlcli / grad-cam", memory, 0.6, at_least=False),
        Goal("six maps / one", seconds["dlcli-six"] / seconds["dlcli"], 1.5, at_least=False),
        Goal(f"evidence for {TRUST_IMAGES} digits, whole process, s", median(trials["evidence"]), 10, at_least=False),
        Goal("landscape, whole process, s", median(trials["landscape"]), 120, at_least=False),
        Goal("attributions for 1,470 people, s", median(trials["attrition"], "explain_seconds"), 5, at_least=False),
    ]
