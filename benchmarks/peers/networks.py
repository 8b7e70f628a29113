"""The MNIST arrays and dlcli's own network, for peers that must train the same thing."""

from __future__ import annotations

import torch
import yaml

from dlcli.config.catalog import config_root
from dlcli.data.mnist import MNIST, SPEC
from dlcli.models.small_cnn import SmallCNN


def arrays(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The images, uint8 (N, 1, 28, 28), and the labels, int64 (N,), of "train", "val" or "test"."""
    part = getattr(MNIST().load(), split)
    return part.inputs, part.targets


def standardised(images: torch.Tensor) -> torch.Tensor:
    """Images as a network wants them: float32, the mean 0 and the deviation 1 over all pixels of the train split."""
    return (images.float() / 255 - SPEC.mean[0]) / SPEC.std[0]


def network(model: str) -> SmallCNN:
    """A fresh network of ``configs/model/<model>.yaml``."""
    values = yaml.safe_load((config_root() / "model" / f"{model}.yaml").read_text())
    del values["_target_"]
    return SmallCNN(spec=SPEC, **values)
