"""Whole process from nothing to 99 % on MNIST: dl against the plain PyTorch way."""

from __future__ import annotations

from benchmarks.measure import Goal, machine, median, run_alternating, save
from benchmarks.sides import dl, peer, workplace

TARGET = 0.99


def run(repeats: int) -> None:
    """Measures the shuffled baseline, the published one, and ``dl train mnist_fast``; each repeat is another seed."""
    before = machine()
    with workplace() as folder:
        plain = ("pytorch_mnist", "--data", str(folder), "--target", str(TARGET))
        shuffled = peer("PyTorch, shuffled", *plain, "--shuffle", seeded=True)
        published = peer("PyTorch, as published", *plain, seeded=True)
        ours = dl("dl train mnist_fast", "train", "mnist_fast", seeded=True)
        trials = run_alternating([shuffled, published, ours], repeats)
    own, slow, slowest = trials[ours.name], trials[shuffled.name], trials[published.name]
    goals = [
        Goal("shuffled / mnist_fast, whole process", median(slow) / median(own), 15, at_least=True),
        Goal("as published / mnist_fast, whole process", median(slowest) / median(own), 30, at_least=True),
        Goal("peak memory, mnist_fast / shuffled", median(own, "peak_mb") / median(slow, "peak_mb"), 0.75, at_least=False),
        Goal("lowest test accuracy of mnist_fast", min(trial["accuracy"] for trial in own), TARGET, at_least=True),
        Goal("lowest test accuracy at which a baseline ended", min(t["accuracy"] for t in slow + slowest), TARGET, at_least=True),
    ]
    save("mnist", before, trials, goals)
