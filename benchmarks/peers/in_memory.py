"""dlcli's own loading of MNIST, with the augmentation of its recipes."""

from __future__ import annotations

import json
import time

from dlcli.augment.shift import Shift
from dlcli.data.mnist import MNIST, SPEC
from dlcli.randomness import SampleKeys, permutation


def main() -> None:
    """Prints the images per second of one shuffled, augmented epoch."""
    train, augment = MNIST().load().train, Shift(pixels=1)
    started = time.perf_counter()
    batches = train.batches(permutation(0, 0, len(train)), 128)
    images = 0
    for step, batch in enumerate(batches):
        shifted = augment(batch.inputs, rng=SampleKeys(0, batch.index), step=step)
        images += len((shifted - SPEC.mean[0]) / SPEC.std[0])  # which dl leaves to the model, and the peer does while loading
    print(json.dumps({"images_per_second": images / (time.perf_counter() - started)}))


if __name__ == "__main__":
    main()
