"""dlcli's network on MNIST in fastai: one-cycle Adam, batches of 128.

The arrays are in memory, but fastai's loader still takes them item by item, as it does with any data set of torch's.
"""

from __future__ import annotations

import argparse
import json

import torch
from fastai.callback import progress, schedule  # noqa: F401 - they give Learner no_bar and fit_one_cycle
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import accuracy
from torch.utils.data import TensorDataset

from benchmarks.peers.networks import arrays, network, standardised


def main() -> None:
    """Trains for some epochs and prints the test accuracy."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    options = parser.parse_args()
    loaders = {}
    for split, size in (("train", 128), ("val", 1000), ("test", 1000)):
        images, labels = arrays(split)
        loaders[split] = DataLoader(TensorDataset(standardised(images), labels), bs=size, shuffle=split == "train")
    learner = Learner(
        DataLoaders(loaders["train"], loaders["val"]), network(options.model), loss_func=CrossEntropyLossFlat(), metrics=accuracy
    )
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(options.epochs, 1e-2)
        right = learner.validate(dl=loaders["test"])[1]
    print(json.dumps({"accuracy": float(right), "parameters": sum(p.numel() for p in learner.model.parameters())}))


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
