"""The same recipes as ``augment_batch`` with ``torchvision.transforms.v2``, image by image, as a data set's transform does it."""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch
from torchvision.transforms import InterpolationMode, v2

from benchmarks.peers.augment_batch import MEAN, RECIPES, WARM_UP, pictures

TIMED = 5


def transform(recipe: str) -> v2.Transform:
    """Returns the recipe's transform; what can be done on eight bits is, for that is faster."""
    if recipe == "cifar":
        area = 8 * 8 / 32**2
        return v2.Compose(
            [
                v2.RandomCrop(32, padding=4),
                v2.RandomHorizontalFlip(),
                v2.ToDtype(torch.float32, scale=True),
                v2.RandomErasing(p=1.0, scale=(area, area), ratio=(1.0, 1.0), value=MEAN),
            ]
        )
    return v2.Compose(
        [
            v2.RandomResizedCrop(224),
            v2.RandomHorizontalFlip(),
            v2.TrivialAugmentWide(interpolation=InterpolationMode.BILINEAR),
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomErasing(p=0.1, value=MEAN),
        ]
    )


def main() -> None:
    """Prints the median milliseconds from eight-bit images to an augmented float batch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe", choices=RECIPES)
    recipe = parser.parse_args().recipe
    change, images = transform(recipe), list(pictures(recipe))
    seconds = []
    for _ in range(WARM_UP + TIMED):
        started = time.perf_counter()
        torch.stack([change(image) for image in images])
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"ms_per_batch": 1000 * statistics.median(seconds[WARM_UP:])}))


if __name__ == "__main__":
    main()
