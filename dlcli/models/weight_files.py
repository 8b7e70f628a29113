"""Files of weights into tensors. Pickles are read by PyTorch's restricted reader alone, which builds tensors and runs nothing."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from dlcli.errors import DataError

_INSIDE = ("state_dict", "model", "state_dict_ema")  # where training scripts keep the weights in a larger file


def tensors_of(data: bytes, *, source: str) -> dict[str, Tensor]:
    """Returns the weights of a ``.safetensors`` or ``.pth`` file by name; ``source`` names it, and its ending tells which it is.

    Raises:
        DataError: it is damaged, or holds anything but tensors; nothing of it was run.
    """
    if source.endswith(".safetensors"):
        try:
            return dict(safetensors.torch.load(data))
        except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise DataError(f"{source} is not a safetensors file: {error}") from error
    try:
        content: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{source} is damaged, or holds more than weights; nothing of it was run: {reason[0][:120]}") from error
    for key in _INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise DataError(f"{source} holds {type(content).__name__}, expected weights by name")
    wrong = next((name for name, value in content.items() if not isinstance(value, Tensor)), None)
    if wrong is not None:
        raise DataError(f"{source} holds '{wrong}', a {type(content[wrong]).__name__}, among its weights; expected tensors only")
    return {str(name): value for name, value in content.items()}


def as_safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Returns the tensors as a safetensors file; those that share memory become copies."""
    return safetensors.torch.save({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()})
