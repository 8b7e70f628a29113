"""The plain way to load MNIST: ``torchvision.datasets.MNIST`` through a ``DataLoader``; no augmentation."""

from __future__ import annotations

import argparse
import json
import time

from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def main() -> None:
    """Prints the images per second of one shuffled epoch, workers' start included."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, help="folder with MNIST/raw, decompressed, as torchvision leaves it")
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    loader = DataLoader(
        datasets.MNIST(options.data, transform=transform), batch_size=128, shuffle=True, num_workers=options.workers
    )
    started = time.perf_counter()
    images = sum(len(labels) for _, labels in loader)
    print(json.dumps({"images_per_second": images / (time.perf_counter() - started)}))


if __name__ == "__main__":
    main()
