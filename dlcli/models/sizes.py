"""Which image sizes a network takes, found by trying on the meta device, where tensors have a shape and no numbers."""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.func import functional_call

_LARGEST_TRIED = 512  # pixels


def check_size(owner: str, net: nn.Module, shape: tuple[int, int, int]) -> None:
    """Raises ValueError where ``net`` cannot take images (C, H, W), with the smallest square of pixels that it takes.

    Args:
        owner: what the message calls the network.
        net: a fresh network; its training flags come back as true.
        shape: of one image.
    """
    if takes(net, shape):
        return
    channels, height, width = shape
    low, high = min(height, width), _LARGEST_TRIED
    if not takes(net, (channels, high, high)):
        raise ValueError(f"{owner} cannot take images of {height} x {width} pixels")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if takes(net, (channels, middle, middle)) else (middle, high)
    raise ValueError(f"{owner} needs images (C, H, W) of at least {high} x {high} pixels, got {shape}")


def takes(net: nn.Module, shape: tuple[int, int, int]) -> bool:
    """Returns whether one image of this shape goes through ``net`` in evaluation mode. Computes nothing."""
    state = {name: tensor.to("meta") for name, tensor in itertools.chain(net.named_parameters(), net.named_buffers())}
    net.eval()
    try:
        with torch.no_grad():
            functional_call(net, state, (torch.empty(1, *shape, device="meta"),))
    except (RuntimeError, ValueError, AssertionError, IndexError):
        return False
    finally:
        net.train()
    return True
