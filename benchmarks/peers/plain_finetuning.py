"""The plain way to train a torchvision network on a few digits: a loop over batches, validation once an epoch, nothing else."""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch.nn.functional import cross_entropy, interpolate
from torchvision import models

from benchmarks.peers.networks import arrays

LABELS, HELD = 800, 200


def seen(images: torch.Tensor, side: int) -> torch.Tensor:
    """Grey digits as the network sees them: float32 (N, 3, side, side), standardised as ImageNet is."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    large = interpolate(images.float() / 255, size=(side, side), mode="bilinear", antialias=True)
    colour = (large.expand(-1, 3, -1, -1) - mean[:, None, None]) / std[:, None, None]
    return colour.contiguous(memory_format=torch.channels_last)


def main() -> None:
    """Prints the milliseconds per step between two steps."""
    parser = argparse.ArgumentParser()
    for name in ("--side", "--epochs", "--first", "--last"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--network", required=True)
    options = parser.parse_args()
    (images, labels), (val_images, val_labels) = (
        (x[:n], y[:n]) for (x, y), n in ((arrays("train"), LABELS), (arrays("val"), HELD))
    )
    model = models.get_model(options.network, weights=None, num_classes=10).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    step, clock = 0, {}
    for _ in range(options.epochs):
        model.train()
        for rows in torch.randperm(len(images)).split(32):
            optimizer.zero_grad()
            cross_entropy(model(seen(images[rows], options.side)), labels[rows]).backward()
            optimizer.step()
            step += 1
            clock[step] = time.perf_counter()
        model.eval()
        with torch.no_grad():
            right = int((model(seen(val_images, options.side)).argmax(1) == val_labels).sum())
    seconds = clock[options.last] - clock[options.first]
    print(json.dumps({"ms_per_step": 1000 * seconds / (options.last - options.first), "val_accuracy": right / HELD}))


if __name__ == "__main__":
    main()
