"""A thousand runs: the whole process of ``dl runs``, its newest 50 and all of them, and the best by a metric."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from benchmarks.measure import Goal, Side, machine, median, run_alternating, save
from benchmarks.run_folders import make_runs
from benchmarks.sides import DL, workplace

COUNT = 1000


def run(repeats: int) -> None:
    """Measures lists and a ranking over 1,000 made-up run folders, of which 875 are finished; the disk cache is warm."""
    before = machine()
    with workplace() as folder:
        os.environ["DL_RUNS"] = str(folder / "thousand")
        make_runs(folder / "thousand", COUNT)
        commands = {
            "dl runs": [DL, "runs"],
            f"dl runs --limit {COUNT}": [DL, "runs", "--limit", str(COUNT)],
            f"dl runs --limit {COUNT} --json": [DL, "runs", "--limit", str(COUNT), "--json"],
            "dl runs best": [DL, "runs", "best"],
        }
        sides = [Side("dl --help", lambda _: [DL, "--help"])]
        sides += [Side(name, lambda _, command=command: command, reads=_count) for name, command in commands.items()]
        trials = run_alternating(sides, repeats)
    goals = [Goal(f"seconds of {name}", median(trials[name]), 0.5, at_least=False) for name in commands]
    save("runs", before, trials, goals)


def _count(text: str) -> Mapping[str, Any]:
    return {"lines": len(text.splitlines())}
