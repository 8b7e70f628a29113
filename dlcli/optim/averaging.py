"""A running average of the weights, which often generalises better than the last weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dlcli.errors import DataError


class WeightAverage:
    """Exponential moving average of a model's state (Polyak and Juditsky 1992; as in Tarvainen and Valpola 2017).

    Parameters and floating buffers (BatchNorm's statistics) are averaged in float32, whatever type the model has;
    integer buffers are copied. A pure function of the updates: it holds no step counter.

    Args:
        model: whose state at this moment is the first average.
        decay: share of the old average that an update keeps, in [0, 1).

    Raises:
        ValueError: ``decay`` is out of its range.
    """

    def __init__(self, model: nn.Module, *, decay: float = 0.999) -> None:
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay must be in [0, 1), got {decay}")
        self.decay = decay
        self._tensors = {name: _copy(tensor) for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Moves the average towards ``model``.

        Args:
            model: after the optimizer step.
            step: number of that step, from 0. Early updates keep less, min(decay, (1 + step) / (10 + step)), so the
                random start is soon forgotten.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        state = model.state_dict()
        floating = [name for name, tensor in self._tensors.items() if tensor.is_floating_point()]
        averages = [self._tensors[name] for name in floating]
        torch._foreach_lerp_(averages, [state[name].float() for name in floating], 1.0 - decay)
        for name in self._tensors.keys() - set(floating):
            self._tensors[name].copy_(state[name])

    def tensors(self) -> dict[str, Tensor]:
        """Returns the average by the names of the model's ``state_dict``; not copies: the next update changes them."""
        return dict(self._tensors)

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes over an average that :meth:`tensors` gave.

        Raises:
            DataError: names or shapes are not those of the model; the average stays as it is.
        """
        if odd := sorted(self._tensors.keys() ^ tensors.keys()):
            raise DataError(f"the averaged weights are not those of this model: '{odd[0]}' is on one side only")
        for name, tensor in self._tensors.items():
            if tensors[name].shape != tensor.shape:
                expected, got = tuple(tensor.shape), tuple(tensors[name].shape)
                raise DataError(f"the averaged weights are not those of this model: '{name}' must be {expected}, got {got}")
        for name, tensor in self._tensors.items():
            tensor.copy_(tensors[name])


def _copy(tensor: Tensor) -> Tensor:
    """Returns a copy that shares no memory, in float32 where it is floating."""
    return tensor.detach().clone().float() if tensor.is_floating_point() else tensor.detach().clone()
