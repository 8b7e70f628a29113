"""Test accuracy and training time of the MNIST recipes over seeds; the recipes were chosen on val."""

from __future__ import annotations

import statistics

from benchmarks.measure import Goal, machine, run_alternating, save
from benchmarks.sides import dl, workplace

FAST, DEFAULT, BEST = "mnist_fast", "mnist", "mnist_best"


def run(repeats: int) -> None:
    """Trains each recipe once per seed, 0 … repeats - 1."""
    before = machine()
    with workplace():
        trials = run_alternating([dl(name, "train", name, seeded=True) for name in (FAST, DEFAULT, BEST)], repeats)
    accuracy = {name: [trial["accuracy"] for trial in side] for name, side in trials.items()}
    slowest = max(trial["train_seconds"] for trial in trials[DEFAULT])
    goals = [
        Goal("mnist_fast, lowest test accuracy", min(accuracy[FAST]), 0.99, at_least=True),
        Goal("mnist, mean test accuracy", statistics.mean(accuracy[DEFAULT]), 0.994, at_least=True),
        Goal("mnist, lowest test accuracy", min(accuracy[DEFAULT]), 0.993, at_least=True),
        Goal("mnist, slowest training in seconds", slowest, 25, at_least=False),
        Goal("mnist_best, mean test accuracy", statistics.mean(accuracy[BEST]), 0.995, at_least=True),
    ]
    spread = {name: statistics.stdev(values) if len(values) > 1 else None for name, values in accuracy.items()}
    save("recipes", before, trials, goals, standard_deviation=spread)
