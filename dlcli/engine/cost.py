"""How long a fit will take, measured on a few examples before its first step; nothing of the model is changed."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import nn

from dlcli.classifier import borrowed
from dlcli.contracts import Split
from dlcli.engine.device import autocast
from dlcli.randomness import borrowed_rng

_EXAMPLES = 32
_REPEATS = 2


@dataclass(frozen=True)
class Cost:
    """Seconds for one example: ``train`` forward and backward, ``infer`` forward alone."""

    train: float
    infer: float


def measure_cost(model: nn.Module, split: Split, *, batch_size: int, precision: str, device: torch.device) -> Cost:
    """Returns what an example costs when all of the model is trained.

    The model's mode, buffers, gradients and the global random numbers are given back. A first pass, which warms up, is left out.
    """
    count = min(len(split), batch_size, _EXAMPLES)
    batch = next(iter(split.batches(torch.arange(count), count)))
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

    def seconds(*, train: bool) -> float:
        times = []
        for _ in range(_REPEATS + 1):
            started = time.perf_counter()
            with torch.set_grad_enabled(train), autocast(precision, device):
                loss = model(batch.inputs).float().square().mean()
            if train:
                torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - started)
        return min(times[1:]) / count

    with borrowed(model), borrowed_rng():
        infer = seconds(train=False)
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        if count > 1:  # BatchNorm cannot train on one example
            model.train()
        train = seconds(train=True)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
    return Cost(train, infer)
