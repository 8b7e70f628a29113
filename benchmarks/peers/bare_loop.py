"""The least that trains dlcli's network: a 20-line loop without logging, metrics or checkpoints."""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch.nn.functional import cross_entropy

from benchmarks.peers.networks import arrays, network, standardised


def main() -> None:
    """Prints the milliseconds per step between two steps; it validates once an epoch, as ``dl train`` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--first", type=int, required=True, help="the clock starts after this step")
    parser.add_argument("--last", type=int, required=True, help="and stops after this one")
    options = parser.parse_args()
    (images, labels), (val_images, val_labels) = arrays("train"), arrays("val")
    model = network(options.model).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    step, clock = 0, {}
    for _ in range(options.epochs):
        model.train()
        for rows in torch.randperm(len(images)).split(128):
            optimizer.zero_grad()
            loss = cross_entropy(model(standardised(images[rows])), labels[rows])
            loss.backward()
            optimizer.step()
            step += 1
            clock[step] = time.perf_counter()
        model.eval()
        with torch.no_grad():
            right = sum(
                int((model(standardised(batch)).argmax(1) == own).sum())
                for batch, own in zip(val_images.split(1000), val_labels.split(1000), strict=True)
            )
    seconds = clock[options.last] - clock[options.first]
    print(json.dumps({"ms_per_step": 1000 * seconds / (options.last - options.first), "val_accuracy": right / len(val_labels)}))


if __name__ == "__main__":
    main()
