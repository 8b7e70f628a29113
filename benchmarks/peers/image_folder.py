"""The plain way to read a folder of photos: ``torchvision.datasets.ImageFolder`` through a ``DataLoader``."""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def main() -> None:
    """Prints the images per second of shuffled epochs after a first one that is not counted, and the mean of all pixels."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    transform = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor()])
    loader = DataLoader(
        datasets.ImageFolder(options.data, transform=transform),
        batch_size=64,
        shuffle=True,
        num_workers=options.workers,
        persistent_workers=options.workers > 0,
        pin_memory=device.type == "cuda",
    )
    seen, total, started = 0, 0.0, 0.0
    for epoch in range(options.epochs + 1):
        if epoch == 1:
            seen, total, started = 0, 0.0, time.perf_counter()
        for cpu_images, labels in loader:
            images = cpu_images.to(device, non_blocking=True)
            seen += len(labels)
            total += float(images.mean()) * len(labels)
    seconds = time.perf_counter() - started
    print(json.dumps({"images_per_second": seen / seconds, "mean": total / seen}))


if __name__ == "__main__":
    main()
