"""Milliseconds to augment a batch: dl's on all images at once against ``torchvision.transforms.v2`` image by image."""

from __future__ import annotations

from benchmarks.measure import Goal, machine, median, run_alternating, save
from benchmarks.sides import peer

FIGURE = "ms_per_batch"
# Recipe: what it is, and how many times faster dl should be.
RECIPES = {
    "cifar": ("crop, flip, cutout of 512 images 3x32x32", 20),
    "imagenet": ("resized crop, flip, TrivialAugment, erasing of 64 images 3x224x224", 1),
}


def run(repeats: int) -> None:
    """Measures both recipes on both sides, in one process each and with all cores."""
    before = machine()
    sides = {
        (recipe, module): peer(f"{said}: {name}", module, recipe)
        for recipe, (said, _) in RECIPES.items()
        for module, name in (("augment_batch", "dlcli"), ("augment_single", "torchvision"))
    }
    trials = run_alternating(list(sides.values()), repeats)
    goals = []
    for recipe, (said, bound) in RECIPES.items():
        ours, theirs = (median(trials[sides[recipe, module].name], FIGURE) for module in ("augment_batch", "augment_single"))
        goals.append(Goal(f"torchvision / dlcli, {said}", theirs / ours, bound, at_least=True))
    save("augment", before, trials, goals)
