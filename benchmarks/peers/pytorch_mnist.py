"""MNIST the plain PyTorch way, until the test accuracy first reaches a target: ``torchvision.datasets`` and a ``DataLoader``.

The network, the optimizer and the batch sizes are those of PyTorch's own MNIST example, written anew: two 3 x 3
convolutions (32, 64), max-pool, dropout, 128 hidden units; Adadelta from 1.0, times 0.7 after every epoch; batches of 64.
As published it shuffles only where there is an accelerator; ``--shuffle`` does what most people would.
"""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


class Net(nn.Module):
    """1.2 million parameters; log-probabilities of ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)
        )
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return functional.log_softmax(self.head(self.features(images)), dim=1)


def train_epoch(model: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer) -> None:
    """One pass over the training images."""
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        functional.nll_loss(model(images), labels).backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model: nn.Module, loader: DataLoader) -> float:
    """The share of the test images that are classified correctly."""
    model.eval()
    right = sum(int((model(images).argmax(dim=1) == labels).sum()) for images, labels in loader)
    return right / len(loader.dataset)


def main() -> None:
    """Trains until the target or the last epoch, and prints what happened."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, help="folder with MNIST/raw, decompressed, as torchvision leaves it")
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shuffle", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    train = DataLoader(datasets.MNIST(options.data, train=True, transform=transform), batch_size=64, shuffle=options.shuffle)
    test = DataLoader(datasets.MNIST(options.data, train=False, transform=transform), batch_size=1000)
    model = Net()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    started, accuracies = time.perf_counter(), []
    while len(accuracies) < options.epochs and (not accuracies or accuracies[-1] < options.target):
        train_epoch(model, train, optimizer)
        accuracies.append(accuracy(model, test))
        schedule.step()
    print(json.dumps({"accuracy": accuracies[-1], "accuracies": accuracies, "train_seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
