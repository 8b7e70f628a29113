"""Images per second: dl's loading with augmentation against a DataLoader without."""

from __future__ import annotations

from benchmarks.measure import Goal, machine, median, run_alternating, save
from benchmarks.sides import peer, workplace

FIGURE = "images_per_second"


def run(repeats: int) -> None:
    """Measures one shuffled epoch of MNIST in batches of 128 on each side."""
    before = machine()
    with workplace() as folder:
        ours = peer("dlcli, in memory, shifted", "in_memory")
        none = peer("DataLoader, 0 workers", "dataloader", "--data", str(folder))
        two = peer("DataLoader, 2 workers", "dataloader", "--data", str(folder), "--workers", "2")
        trials = run_alternating([ours, none, two], repeats)
    own = median(trials[ours.name], FIGURE)
    goals = [
        Goal("dlcli / DataLoader with 0 workers", own / median(trials[none.name], FIGURE), 40, at_least=True),
        Goal("dlcli / DataLoader with 2 workers", own / median(trials[two.name], FIGURE), 25, at_least=True),
    ]
    save("loading", before, trials, goals)
