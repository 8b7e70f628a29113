"""Files of weights into tensors. Pickles are read by PyTorch's restricted reader alone, which builds tensors and runs nothing."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from dlcli.errors import DataError

_INSIDE = ("state_dict", "model", "state_dict_ema")  # where training scripts keep the weights in a larger file
_ALONE = "the weights alone, where it was made: torch.save(model.state_dict(), FILE)"
_ARCHIVE = b"PK\x03\x04"  # how files of torch.save begin
_FOREIGN = re.compile(r"GLOBAL (\S{1,80})")


def tensors_of(data: bytes, *, source: str) -> dict[str, Tensor]:
    """Returns the weights of a ``.safetensors`` or ``.pth`` file by name; ``source`` names it, and its ending tells which it is.

    Raises:
        DataError: it is damaged, or holds anything but dense tensors; nothing of it was run.
    """
    if source.casefold().endswith(".safetensors"):
        try:
            return dict(safetensors.torch.load(data))
        except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise DataError(f"{source} is not a safetensors file, or cut off", hint="copy it again") from error
    _refuse_compressed(data, source)
    try:
        with warnings.catch_warnings(action="ignore"):  # of formats that are refused below, or old
            content: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise anything
        raise _unreadable(error, source, data) from error
    found = _weights_in(content, source)
    wrong = next((name for name, value in found.items() if value.layout != torch.strided or value.is_meta), None)
    if wrong is not None:
        kind = "tensor without values" if found[wrong].is_meta else "sparse tensor"
        raise DataError(f"{source} holds '{wrong}', a {kind}, among its weights; expected dense ones")
    return found


def as_safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Returns the tensors as a safetensors file; those that share memory become copies."""
    return safetensors.torch.save({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()})


def _refuse_compressed(data: bytes, source: str) -> None:
    """PyTorch stores without compression, so a file whose parts are larger than itself is made to fill the memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # noqa: BLE001 - no archive, or a damaged one: what is wrong with it, PyTorch says
        return
    if total > len(data):
        raise DataError(f"{source} unpacks to {total:,} bytes, more than its own {len(data):,}; expected what torch.save writes")


def _unreadable(error: Exception, source: str, data: bytes) -> DataError:
    """Why a file was refused, in one line; PyTorch's own text would advise to run it."""
    text = str(error)
    foreign = _FOREIGN.search(text)
    if foreign is not None:
        return DataError(f"{source} holds {foreign[1]}, which is more than weights; nothing of it was run", hint=_ALONE)
    if "TorchScript" in text:
        return DataError(f"{source} is a TorchScript program, not weights; nothing of it was run", hint=_ALONE)
    if data.startswith(_ARCHIVE) and not zipfile.is_zipfile(io.BytesIO(data)):
        return DataError(f"{source} is cut off: the table at its end is missing; nothing of it was run", hint="copy it again")
    return DataError(f"{source} is damaged, or holds more than weights; nothing of it was run", hint=_ALONE)


def _weights_in(content: Any, source: str) -> dict[str, Tensor]:
    """The tensors by name: those of the file, or of the one part of it that holds nothing else."""
    for key in _INSIDE:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise DataError(f"{source} holds {type(content).__name__}, expected weights by name")
    wrong = next((name for name, value in content.items() if not isinstance(value, Tensor)), None)
    if wrong is None:
        return {str(name): value for name, value in content.items()}
    parts = [name for name, value in content.items() if _is_weights(value)]
    if len(parts) == 1:
        return {str(name): value for name, value in content[parts[0]].items()}
    if parts:
        listed = ", ".join(f"'{part}'" for part in parts[:5])
        hint = f"keep one of them: torch.save(content['{parts[0]}'], FILE)"
        raise DataError(f"{source} holds several sets of weights: {listed}; expected one", hint=hint)
    raise DataError(f"{source} holds '{wrong}', a {type(content[wrong]).__name__}, among its weights; expected tensors only")


def _is_weights(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(tensor, Tensor) for tensor in value.values())
