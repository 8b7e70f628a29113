"""The same network for the same epochs, whole process: fastai against dl (``uv run --with fastai``)."""

from __future__ import annotations

from benchmarks.measure import Goal, machine, median, run_alternating, save
from benchmarks.sides import dl, peer, workplace


def run(repeats: int) -> None:
    """Measures one epoch of ``mnist_cnn`` in batches of 128, tested at the end."""
    before = machine()
    with workplace():
        theirs = peer("fastai", "fastai_mnist", "--model", "mnist_cnn", "--epochs", "1")
        ours = dl("dl train", "train", "mnist", "augment=none", "--epochs", "1", "--batch-size", "128")
        trials = run_alternating([theirs, ours], repeats)
    value = median(trials[theirs.name]) / median(trials[ours.name])
    save("fastai", before, trials, [Goal("fastai / dl, whole process", value, 1.5, at_least=True)])
