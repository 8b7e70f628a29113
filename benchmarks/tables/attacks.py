"""PGD against foolbox and torchattacks, AutoAttack against the original: the same networks, images and steps, equal accuracy."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence

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
                differing |= {sides[each].name: sum(_only(ours, found[sides[each].name])) for each in peers}
                goals += [_speed(f"{attack}, {name}", ours, theirs, goal), *_equal(attack, name, ours, theirs)]
    save("attacks", before, trials, goals, images_that_differ=differing)


def _trained(settings: Sequence[str]) -> str:
    answer = subprocess.run([DL, *RECIPE, *settings], check=True, capture_output=True, text=True)
    return str(json.loads(answer.stdout)["id"])


def _side(name: str, attack: str, library: str, run_id: str, images: int) -> Side:
    words = (library, attack, "--run", run_id, "--images", str(images), "--batch", str(min(images, 250)))
    return peer(f"{attack}, {name}, {library}", "attack", *words)


def _only(ours: list[Trial], theirs: list[Trial]) -> tuple[int, int]:
    """How many images stand after our attack alone, and after theirs alone, in the first repeat."""
    pairs = list(zip(ours[0].output["standing"], theirs[0].output["standing"], strict=True))
    return pairs.count(("1", "0")), pairs.count(("0", "1"))


def _speed(name: str, ours: list[Trial], theirs: list[list[Trial]], goal: float) -> Goal:
    """The seconds of the fastest peer over ours."""
    fastest = min(median(trials, "attack_seconds") for trials in theirs)
    return Goal(f"{name}: fastest peer / dlcli", fastest / median(ours, "attack_seconds"), goal, at_least=True)


def _equal(attack: str, name: str, ours: list[Trial], theirs: list[list[Trial]]) -> Iterator[Goal]:
    """Whether speed is compared at equal robust accuracy.

    AutoAttack's shares may be ``MOST_APART``. PGD from one random start leaves other images standing with every seed, so
    there the statistic of McNemar's test has to stay below its bound of 5 %.
    """
    if attack == "autoattack":
        apart = max(abs(median(ours, "robust") - median(trials, "robust")) for trials in theirs)
        yield Goal(f"{attack}, {name}: robust accuracy apart", apart, MOST_APART + 1e-6, at_least=False)
        return
    alone = [_only(ours, trials) for trials in theirs]
    statistic = max((a - b) ** 2 / max(a + b, 1) for a, b in alone)
    yield Goal(f"{attack}, {name}: McNemar's statistic", statistic, 3.84, at_least=False)
