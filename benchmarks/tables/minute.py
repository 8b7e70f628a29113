"""From ``git clone`` to a trained network and the first adversarial picture and heat map (needs uv, with a warm cache)."""

from __future__ import annotations

from benchmarks.measure import Goal, machine, median, run_alternating, save
from benchmarks.sides import peer


def run(repeats: int) -> None:
    """Clones this repository into an empty folder and follows its README."""
    before = machine()
    side = peer("first minute", "first_minute")
    trials = run_alternating([side], repeats)
    goals = [
        Goal("seconds from clone to trained network", median(trials[side.name], "trained"), 60, at_least=False),
        Goal("seconds from clone to both pictures", median(trials[side.name], "explained"), 90, at_least=False),
    ]
    save("minute", before, trials, goals)
