"""State into bytes and back. Only ``runs/`` touches the disk; no pickle anywhere.

A checkpoint is a few named files: ``model.safetensors`` (raw weights), ``ema.safetensors`` and ``optim.safetensors``
(where they exist), ``state.json`` (position, data spec, model node) and ``MANIFEST.json`` (size and sha256 of each).
The manifest is checked against the very bytes that are parsed, so a flipped bit is refused, not loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from dlcli.contracts import DataSpec, Preprocessing
from dlcli.errors import DataError

SCHEMA = 1
MANIFEST = "MANIFEST.json"
_STATE = "state.json"
_TENSOR_FILES = {"model": "model.safetensors", "ema": "ema.safetensors", "optimizer": "optim.safetensors"}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything needed to rebuild a model, and to continue its training.

    Args:
        model: raw weights and buffers by name.
        ema: averaged weights and buffers, or None.
        optimizer: optimizer state as ``"parameter name/state name"`` → tensor, or None where only the model is kept.
        spec: the data that the model was trained on.
        preprocessing: what stands before the network.
        node: the configuration that builds the network, plain data with ``_target_``.
        progress: position and running sums of the training loop, plain data.
    """

    model: Mapping[str, Tensor]
    spec: DataSpec
    preprocessing: Preprocessing
    node: Mapping[str, Any]
    progress: Mapping[str, Any]
    ema: Mapping[str, Tensor] | None = None
    optimizer: Mapping[str, Tensor] | None = None

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The weights that later verbs use: averaged ones where they exist."""
        return self.model if self.ema is None else self.ema


def pack(checkpoint: Checkpoint) -> dict[str, bytes]:
    """Returns the checkpoint's files by name, the manifest last. The same state gives the same bytes."""
    files = {}
    for field, name in _TENSOR_FILES.items():
        tensors = getattr(checkpoint, field)
        if tensors is not None:
            own = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
            files[name] = safetensors.torch.save(own)
    preprocessing = checkpoint.preprocessing
    state = {
        "schema": SCHEMA,
        "spec": checkpoint.spec.to_dict(),
        "preprocessing": {
            "shape": list(preprocessing.shape),
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
        },
        "model": dict(checkpoint.node),
        "progress": dict(checkpoint.progress),
    }
    files[_STATE] = _json_bytes(state)
    entries = {name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()}
    files[MANIFEST] = _sealed({"schema": SCHEMA, "files": entries})
    return files


def unpack(files: Mapping[str, bytes], *, source: str) -> Checkpoint:
    """Returns the checkpoint in ``files`` (name → bytes); ``source`` names it in messages.

    Raises:
        DataError: a file is missing, damaged or of a newer schema; nothing of it is used.
    """
    verify(files, source=source)
    state = _parsed(files[_STATE], f"{source}/{_STATE}")
    if state.get("schema") != SCHEMA:
        raise DataError(
            f"{source} has schema {state.get('schema')!r}, this dlcli reads schema {SCHEMA}",
            hint="use the dlcli version that wrote it, or a newer one",
        )
    tensors = {field: _tensors(files.get(name), f"{source}/{name}") for field, name in _TENSOR_FILES.items()}
    try:
        shown = state["preprocessing"]
        return Checkpoint(
            model=tensors["model"] or {},
            ema=tensors["ema"],
            optimizer=tensors["optimizer"],
            spec=DataSpec.from_dict(state["spec"]),
            preprocessing=Preprocessing(tuple(shown["shape"]), tuple(shown["mean"]), tuple(shown["std"])),
            node=dict(state["model"]),
            progress=dict(state["progress"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{source}/{_STATE} lacks or garbles {error}; expected a dlcli checkpoint") from error


def verify(files: Mapping[str, bytes], *, source: str) -> None:
    """Compares every file with the manifest. Raises DataError naming the first one that differs."""
    if MANIFEST not in files:
        raise DataError(f"{source} has no {MANIFEST}; expected a dlcli checkpoint folder")
    manifest = _parsed(files[MANIFEST], f"{source}/{MANIFEST}")
    seal = manifest.pop("seal", None)
    if files[MANIFEST] != _sealed(manifest) or not isinstance(seal, str):
        raise DataError(f"{source}/{MANIFEST} is damaged: its own sha256 does not match")
    entries = manifest.get("files", {})
    unknown = sorted(set(files) - set(entries) - {MANIFEST})
    if unknown:
        raise DataError(f"{source} holds {unknown[0]}, which its manifest does not name")
    for name, entry in entries.items():
        data = files.get(name)
        if data is None:
            raise DataError(f"{source}/{name} is missing; its manifest names it")
        found = hashlib.sha256(data).hexdigest()
        if found != entry["sha256"]:
            raise DataError(
                f"{source}/{name} is damaged: expected sha256 {entry['sha256'][:16]}… ({entry['size']} bytes), "
                f"found {found[:16]}… ({len(data)} bytes)"
            )


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Returns the optimizer's state as ``"parameter name/state name"`` → tensor.

    Raises ValueError where the optimizer was not given named parameters.
    """
    tensors = {}
    for group in optimizer.param_groups:
        for name, parameter in zip(group["param_names"], group["params"], strict=True):
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"{name}/{key}"] = torch.as_tensor(value) if value is not None else torch.empty(0)
    return tensors


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Puts back what :func:`optimizer_tensors` returned, each tensor beside its parameter."""
    for group in optimizer.param_groups:
        for name, parameter in zip(group["param_names"], group["params"], strict=True):
            own = {key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")}
            if own:
                optimizer.state[parameter] = {key: _beside(parameter, key, value) for key, value in own.items()}


def _beside(parameter: Tensor, key: str, value: Tensor) -> Tensor | None:
    if value.numel() == 0 and parameter.numel() != 0:
        return None  # what an optimizer keeps as None, such as an unused momentum buffer
    # Step counters stay on the CPU, as torch's optimizers keep them there unless they are fused or capturable.
    return value.clone() if key == "step" else value.to(parameter.device, copy=True).view_as(parameter)


def _tensors(data: bytes | None, source: str) -> dict[str, Tensor] | None:
    if data is None:
        return None
    try:
        return dict(safetensors.torch.load(data))
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"{source} is not a safetensors file: {error}") from error


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


def _sealed(manifest: Mapping[str, Any]) -> bytes:
    """The manifest with its own sha256 inside, so that no byte of it can change unseen."""
    return _json_bytes({**manifest, "seal": hashlib.sha256(_json_bytes(dict(manifest))).hexdigest()})


def _parsed(data: bytes, source: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{source} holds {type(value).__name__}, expected an object")
    return value
