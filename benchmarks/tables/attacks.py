"""PGD against foolbox and torchattacks, AutoAttack against the original: the same networks, images and steps, equal accuracy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from benchmarks.measure import Goal, Side, Trial, machine, median, run_alternating, save
from benchmarks.sides import DL, peer, workplace

# How the networks under attack are trained; the first one ships.
RECIPE = ("train", "mnist_robust_fast", "--quiet", "--json")
NETWORKS = {
    "undefended": None,
    "half-robust": ("adversary.epsilon=0.2", "trainer.epochs=3"),
    "robust": ("trainer.epochs=6",),
}
PGD_IMAGES, AUTO_IMAGES = 1000, 500
# Ours over the fastest peer: (PGD, AutoAttack).
GOALS = {"undefended": (3.0, 2.0), "half-robust": (1.0, 2.0), "robust": (1.0, 1.1)}
MOST_APART = 0.002  # of robust accuracy, one image of 500


def run(repeats: int) -> None:
    """Trains two networks, attacks all three, and asks for speed only where the libraries leave equally many images standing."""
    before = machine()
    trials: dict[str, list[Trial]] = {}
    goals: list[Goal] = []
    differing: dict[str, int] = {}
    with workplace():
        for name, settings in NETWORKS.items():
            run_id = "builtin:mnist" if settings is None else _trained(settings)
            for attack, images, peers, goal in (
                ("pgd", PGD_IMAGES, ("foolbox", "torchattacks"), GOALS[name][0]),
                ("autoattack", AUTO_IMAGES, ("original",), GOALS[name][1]),
            ):
                sides = {each: _side(name, attack, each, run_id, images) for each in ("dlcli", *peers)}
                found = run_alternating(list(sides.values()), repeats)
                trials |= found
                ours, theirs = found[sides["dlcli"].name], [found[sides[each].name] for each in peers]
                differing |= {
                    trials_of: _differing(ours, found[trials_of]) for trials_of in found if trials_of != sides["dlcli"].name
                }
                goals += _goals(f"{attack}, {name}", ours, theirs, images, goal)
    save("attacks", before, trials, goals, images_that_differ=differing)


def _trained(settings: Sequence[str]) -> str:
    answer = subprocess.run([DL, *RECIPE, *settings], check=True, capture_output=True, text=True)
    return str(json.loads(answer.stdout)["id"])


def _side(name: str, attack: str, library: str, run_id: str, images: int) -> Side:
    words = (library, attack, "--run", run_id, "--images", str(images), "--batch", str(min(images, 250)))
    return peer(f"{attack}, {name}, {library}", "attack", *words)


def _differing(ours: list[Trial], theirs: list[Trial]) -> int:
    """How many images stand after one library's attack and not after the other's, in the first repeat."""
    return sum(a != b for a, b in zip(ours[0].output["standing"], theirs[0].output["standing"], strict=True))


def _goals(name: str, ours: list[Trial], theirs: list[list[Trial]], images: int, goal: float) -> list[Goal]:
    """Speed over the fastest peer, and how far apart the shares of standing images are."""
    fastest = min(theirs, key=lambda trials: median(trials, "attack_seconds"))
    speed = median(fastest, "attack_seconds") / median(ours, "attack_seconds")
    apart = max(abs(median(ours, "robust") - median(trials, "robust")) for trials in theirs)
    return [
        Goal(f"{name}: fastest peer / dlcli", speed, goal, at_least=True),
        Goal(f"{name}: robust accuracy apart", apart, max(MOST_APART, 1.001 / images), at_least=False),
    ]
