"""Networks that hide their gradient and are no more robust for it: what a masking verdict must see through.

Each is a trained classifier with one layer more. Sources: Athalye, Carlini and Wagner 2018, "Obfuscated gradients give a false
sense of security", §3: shattered (a rounded input), stochastic (noise), vanishing (saturated outputs) gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from dlcli.classifier import Classifier, class_logits

Disguise = Literal["saturated", "quantised", "randomised"]


class Saturated(nn.Module):
    """Probabilities in place of logits, so sure that most are 0 or 1 in single precision: softmax of ``scale`` times them."""

    def __init__(self, scale: float = 1000.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, logits: Tensor) -> Tensor:
        return (self.scale * class_logits(logits)).softmax(dim=1)


class Quantised(nn.Module):
    """Rounds each number to a multiple of ``step``: a staircase, whose slope is zero wherever it has one."""

    def __init__(self, step: float = 0.5) -> None:
        super().__init__()
        self.step = step

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs / self.step).round() * self.step


class Randomised(nn.Module):
    """Adds Gaussian noise of standard deviation ``sigma`` to each number, new in every pass."""

    def __init__(self, sigma: float = 0.5) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.sigma * torch.randn_like(inputs)


def disguised(model: Classifier, disguise: Disguise) -> Classifier:
    """Returns the classifier behind a layer that hides its gradient; weights are shared, ``model`` stays as it is.

    A rounded or noisy input is that of the network, in standard deviations of the data.
    """
    layers: Mapping[Disguise, tuple[nn.Module, ...]] = {
        "saturated": (model.net, Saturated()),
        "quantised": (Quantised(), model.net),
        "randomised": (Randomised(), model.net),
    }
    if disguise not in layers:
        raise ValueError(f"disguise must be one of {', '.join(get_args(Disguise))}, got {disguise!r}")
    hiding = Classifier(model.spec, nn.Sequential(*layers[disguise]), preprocessing=model.preprocessing)
    return hiding.to(model.mean.device).train(model.training)
