"""dlcli's augmentation of whole batches, with an example's own draws: a recipe of configs/augment on images of its size."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
import yaml

from dlcli.augment.standard import Standard
from dlcli.contracts import DataSpec
from dlcli.randomness import SampleKeys

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "augment"
# Recipe: images in a batch, side, and the entry of configs/augment with what is set differently there.
RECIPES = {
    "cifar": (512, 32, "cifar_strong", {"outside": "zero"}),
    "imagenet": (64, 224, "imagenet", {"mixup": 0.0, "cutmix": 0.0}),  # the peer mixes whole batches too: nothing to compare
}
MEAN = (0.485, 0.456, 0.406)
WARM_UP, TIMED = 3, 21


def pictures(recipe: str) -> torch.Tensor:
    """Returns a batch of eight-bit images (N, 3, H, W): coarse noise enlarged, as smooth as photos are."""
    count, side, _, _ = RECIPES[recipe]
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return (torch.nn.functional.interpolate(coarse, size=side, mode="bilinear") * 255).to(torch.uint8)


def main() -> None:
    """Prints the median milliseconds from eight-bit images to an augmented float batch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe", choices=RECIPES)
    recipe = parser.parse_args().recipe
    _, side, entry, changes = RECIPES[recipe]
    values = yaml.safe_load((CONFIGS / f"{entry}.yaml").read_text())
    del values["_target_"]
    spec = DataSpec(name="pictures", shape=(3, side, side), classes=("a", "b"), mean=MEAN, std=(0.25,) * 3, epsilon={})
    augment = Standard(spec=spec, **(values | changes))
    images = pictures(recipe).contiguous(memory_format=torch.channels_last)
    rng = SampleKeys(0, torch.arange(len(images)))
    seconds = []
    for step in range(WARM_UP + TIMED):
        started = time.perf_counter()
        augment(images.float().div_(255), rng=rng, step=step)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"ms_per_batch": 1000 * statistics.median(seconds[WARM_UP:])}))


if __name__ == "__main__":
    main()
