"""How a layer's answer holds a map: channels before or after the positions, or patches as words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

# A class token, a distillation token, registers: words that are no patches stand in front, and there are few of them.
_MOST_PREFIX = 16


@dataclass(frozen=True)
class Layout:
    """Where the channels and the positions of a map are in an answer.

    Args:
        order: (N, C, h, w), (N, h, w, C) or words (N, prefix + h * w, C).
        size: h and w.
        prefix: words in front that belong to no position.
    """

    order: Literal["channels_first", "channels_last", "words"]
    size: tuple[int, int]
    prefix: int = 0

    def maps(self, answer: Tensor) -> Tensor:
        """Returns the answer as maps (N, C, h, w)."""
        if self.order == "channels_first":
            return answer
        if self.order == "channels_last":
            return answer.permute(0, 3, 1, 2)
        return answer[:, self.prefix :].transpose(1, 2).reshape(len(answer), -1, *self.size)

    def without(self, answer: Tensor, channels: Tensor) -> Tensor:
        """Returns one copy of the answer (1, …) for each of ``channels``, int64 (k,), with that channel's map at zero."""
        copies = answer.repeat(len(channels), *[1] * (answer.ndim - 1))
        rows = torch.arange(len(channels), device=answer.device)
        if self.order == "channels_first":
            copies[rows, channels] = 0
        elif self.order == "channels_last":
            copies[rows, :, :, channels] = 0
        else:
            copies[rows, self.prefix :, channels] = 0
        return copies


def layout_of(module: nn.Module, answer: object, grid: tuple[int, int] | None) -> Layout | None:
    """Returns how a module's answer holds a map of more than one position each way; None where it holds none.

    A module that works on the last axis (linear, layer norm), or holds one that does, has its channels there.

    Args:
        grid: h and w of the last convolution's map, which words are taken to be the positions of.
    """
    if not isinstance(answer, Tensor) or not answer.is_floating_point():
        return None
    if answer.ndim == 4:
        last = _on_last_axis(module, answer.shape[-1])
        size = tuple(answer.shape[1:3] if last else answer.shape[2:])
        return Layout("channels_last" if last else "channels_first", (size[0], size[1])) if min(size) > 1 else None
    if answer.ndim == 3 and grid is not None:
        prefix = answer.shape[1] - grid[0] * grid[1]
        return Layout("words", grid, prefix) if min(grid) > 1 and 0 <= prefix <= _MOST_PREFIX else None
    return None


def _on_last_axis(module: nn.Module, length: int) -> bool:
    # Of layer norms exactly torch's own: ConvNeXt's subclass works on the first axis.
    return any(
        (type(part) is nn.LayerNorm and part.normalized_shape[-1] == length)
        or (isinstance(part, nn.Linear) and part.out_features == length)
        for part in module.modules()
    )
