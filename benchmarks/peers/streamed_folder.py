"""dlcli's way to read a folder of photos from disk: decoded to 224 x 224 as batches are asked for."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from dlcli.data.layout import scan
from dlcli.data.reader import Reader
from dlcli.data.stream import StreamSplit
from dlcli.data.workers import Loader
from dlcli.randomness import permutation


def main() -> None:
    """Prints the images per second of shuffled epochs after a first one that is not counted, and the mean of all pixels."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    files = scan(Path(options.data)).files
    loader = Loader(Reader(files, 224, 3), workers=options.workers)
    split = StreamSplit(loader, torch.arange(len(files)), files.targets, crop=0.875).to(device)
    seen, total, started = 0, 0.0, 0.0
    for epoch in range(options.epochs + 1):
        if epoch == 1:
            seen, total, started = 0, 0.0, time.perf_counter()
        for batch in split.batches(permutation(0, epoch, len(split)), 64):
            seen += len(batch.targets)
            total += float(batch.inputs.mean()) * len(batch.targets)
    seconds = time.perf_counter() - started
    print(json.dumps({"images_per_second": seen / seconds, "mean": total / seen}))


if __name__ == "__main__":
    main()
