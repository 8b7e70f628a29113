"""State into bytes and back. Only ``runs/`` touches the disk; no pickle anywhere.

A checkpoint is a few named files: ``model.safetensors`` (raw weights), ``ema.safetensors`` and ``optim.safetensors``
(where they exist), ``state.json`` (position, data spec, model node) and ``MANIFEST.json`` (size and sha256 of each).
The manifest is checked against the very bytes that are parsed, so a flipped bit is refused, not loaded. That guards
against accidents; what an attacker may write is held back by there being no pickle, and by the builder.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from dlcli.classifier import Preprocessing
from dlcli.contracts import DataSpec
from dlcli.errors import DataError

SCHEMA = 1
MANIFEST = "MANIFEST.json"
_STATE = "state.json"
_MODEL = "model.safetensors"
_TENSOR_FILES = {"model": _MODEL, "ema": "ema.safetensors", "optimizer": "optim.safetensors"}
Number = int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything needed to rebuild a model, and to continue its training.

    Args:
        model: raw weights and buffers by name.
        ema: averaged weights and buffers, or None.
        optimizer: the tensors of :class:`OptimizerState`, or None where only the model is kept.
        optimizer_numbers: its plain numbers.
        spec: the data that the model was trained on.
        preprocessing: what stands before the network.
        node: the configuration that builds the network, plain data with ``_target_``.
        progress: position and running sums of the training loop, plain data.
        calibration: temperature and thresholds fitted on data that the model was not trained on, by name; may be empty.
        data_digest: of the data as :func:`dlcli.data.digest.digest_of` gives it; empty where it is not known.
    """

    model: Mapping[str, Tensor]
    spec: DataSpec
    preprocessing: Preprocessing
    node: Mapping[str, Any]
    progress: Mapping[str, Any]
    ema: Mapping[str, Tensor] | None = None
    optimizer: Mapping[str, Tensor] | None = None
    optimizer_numbers: Mapping[str, Number] = field(default_factory=dict)
    calibration: Mapping[str, float] = field(default_factory=dict)
    data_digest: str = ""

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The weights that later verbs use: averaged ones where they exist."""
        return self.model if self.ema is None else self.ema


def pack(checkpoint: Checkpoint) -> dict[str, bytes]:
    """Returns the checkpoint's files by name, the manifest last. The same state gives the same bytes."""
    files = {}
    for kind, name in _TENSOR_FILES.items():
        tensors = getattr(checkpoint, kind)
        if tensors is not None:
            own = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
            files[name] = safetensors.torch.save(own)
    state = {
        "schema": SCHEMA,
        "spec": checkpoint.spec.to_dict(),
        "preprocessing": _preprocessing_to_dict(checkpoint.preprocessing),
        "model": dict(checkpoint.node),
        "optimizer": dict(checkpoint.optimizer_numbers),
        "progress": dict(checkpoint.progress),
    }
    if checkpoint.calibration:
        state["calibration"] = dict(checkpoint.calibration)
    if checkpoint.data_digest:
        state["data_digest"] = checkpoint.data_digest
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
    _check_schema(state, source)
    tensors = {kind: _tensors(files[name], f"{source}/{name}") for kind, name in _TENSOR_FILES.items() if name in files}
    try:
        spec, preprocessing = DataSpec.from_dict(state["spec"]), _preprocessing_of(state["preprocessing"])
        _check_sizes(spec)
        _check_sizes(preprocessing)
        return Checkpoint(
            model=tensors["model"],
            ema=tensors.get("ema"),
            optimizer=tensors.get("optimizer"),
            optimizer_numbers=dict(state.get("optimizer", {})),
            spec=spec,
            preprocessing=preprocessing,
            node=dict(state["model"]),
            progress=dict(state["progress"]),
            calibration={str(name): float(value) for name, value in state.get("calibration", {}).items()},
            data_digest=str(state.get("data_digest", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{source}/{_STATE} lacks or garbles {error}; expected a dlcli checkpoint") from error


def verify(files: Mapping[str, bytes], *, source: str) -> None:
    """Compares every file with the manifest. Raises DataError naming the first one that differs."""
    if MANIFEST not in files:
        raise DataError(f"{source} has no {MANIFEST}; expected a dlcli checkpoint folder")
    entries = _entries(files[MANIFEST], source)
    unknown = sorted(set(files) - set(entries) - {MANIFEST})
    if unknown:
        raise DataError(f"{source} holds {unknown[0]}, which its manifest does not name")
    for name, (size, digest) in entries.items():
        data = files.get(name)
        if data is None:
            raise DataError(f"{source}/{name} is missing; its manifest names it")
        found = hashlib.sha256(data).hexdigest()
        if found != digest:
            wanted = f"expected sha256 {digest[:16]}… ({size} bytes), found {found[:16]}… ({len(data)} bytes)"
            raise DataError(f"{source}/{name} is damaged: {wanted}")


@dataclass(frozen=True)
class OptimizerState:
    """What an optimizer keeps for each parameter, by ``"parameter name/state name"``.

    Args:
        tensors: momentum buffers, step counters and the like.
        numbers: what some optimizers keep as a plain number or as None.
    """

    tensors: Mapping[str, Tensor]
    numbers: Mapping[str, Number] = field(default_factory=dict)


def optimizer_state(optimizer: torch.optim.Optimizer) -> OptimizerState:
    """Returns the optimizer's state, not copied.

    Raises:
        ValueError: the optimizer was not given named parameters, or keeps something that is no tensor and no number.
    """
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Number] = {}
    for name, parameter in _named_parameters(optimizer):
        for kind, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"{name}/{kind}"] = value
            elif value is None or isinstance(value, int | float):
                numbers[f"{name}/{kind}"] = value
            else:
                what = f"{type(optimizer).__name__} keeps a {type(value).__name__} as '{kind}'"
                raise ValueError(f"{what}; only tensors and numbers go into a checkpoint")
    return OptimizerState(tensors, numbers)


def load_optimizer(optimizer: torch.optim.Optimizer, state: OptimizerState, *, source: str) -> None:
    """Puts back what :func:`optimizer_state` returned. Raises DataError where it belongs to other parameters."""
    entries: dict[str, dict[str, Any]] = {}
    for key, value in {**state.tensors, **state.numbers}.items():
        name, _, kind = key.rpartition("/")
        entries.setdefault(name, {})[kind] = value
    parameters = dict(_named_parameters(optimizer))
    if unknown := sorted(entries.keys() - parameters.keys()):
        raise DataError(f"{source}: the optimizer's state names '{unknown[0]}', which it does not train")
    own = optimizer.state_dict()
    own["state"] = {}
    for group in own["param_groups"]:
        for name, position in zip(group["param_names"], group["params"], strict=True):
            if name in entries:
                own["state"][position] = {kind: _laid_out(value, parameters[name]) for kind, value in entries[name].items()}
    optimizer.load_state_dict(own)


def _named_parameters(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    for group in optimizer.param_groups:
        if "param_names" not in group:
            raise ValueError("the optimizer must be given named parameters: model.named_parameters()")
        yield from zip(group["param_names"], group["params"], strict=True)


def _laid_out(value: Tensor | Number, parameter: Tensor) -> Tensor | Number:
    """A copy that lies in memory as the parameter does: other strides take other kernels, and the last bits may differ."""
    if not isinstance(value, Tensor):
        return value
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter, dtype=value.dtype, device=value.device, requires_grad=False).copy_(value)


def _preprocessing_to_dict(preprocessing: Preprocessing) -> dict[str, Any]:
    """Plain data; what is as in checkpoints before there was a choice is left out, so that their bytes stay the same."""
    shown: dict[str, Any] = {name: list(getattr(preprocessing, name)) for name in ("shape", "mean", "std")}
    if preprocessing.resize is not None:
        shown["resize"] = preprocessing.resize
    if preprocessing.interpolation != "bilinear":
        shown["interpolation"] = preprocessing.interpolation
    return shown


def _preprocessing_of(shown: Mapping[str, Any]) -> Preprocessing:
    """The reverse. Raises KeyError, TypeError or ValueError on anything else."""
    mean, std = (tuple(map(float, shown[name])) for name in ("mean", "std"))
    resize = None if shown.get("resize") is None else int(shown["resize"])
    interpolation = str(shown.get("interpolation", "bilinear"))
    return Preprocessing(tuple(map(int, shown["shape"])), mean, std, resize=resize, interpolation=interpolation)


def _check_sizes(values: DataSpec | Preprocessing) -> None:
    """Raises ValueError where the numbers about an example contradict each other."""
    if not values.shape or min(values.shape) < 1 or not len(values.mean) == len(values.std) == values.shape[0]:
        raise ValueError(f"shape {values.shape} with {len(values.mean)} means and {len(values.std)} stds")
    if not all(map(math.isfinite, values.mean)) or not all(0 < value < math.inf for value in values.std):
        raise ValueError("mean or std, which must be finite, and std positive")


def _check_schema(content: Mapping[str, Any], source: str) -> None:
    if content.get("schema") != SCHEMA:
        raise DataError(
            f"{source} has schema {content.get('schema')!r}, this dlcli reads schema {SCHEMA}",
            hint="use the dlcli version that wrote it, or a newer one",
        )


def _entries(data: bytes, source: str) -> dict[str, tuple[int, str]]:
    """The manifest's files: name → (size, sha256). Raises DataError."""
    manifest = _parsed(data, f"{source}/{MANIFEST}")
    seal = manifest.pop("seal", None)
    try:
        intact = isinstance(seal, str) and data == _sealed(manifest)
    except (ValueError, RecursionError):
        intact = False
    if not intact:
        raise DataError(f"{source}/{MANIFEST} is damaged: its own sha256 does not match")
    _check_schema(manifest, source)
    try:
        entries = {str(name): (int(entry["size"]), str(entry["sha256"])) for name, entry in manifest["files"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{source}/{MANIFEST} lacks or garbles {error}; expected a dlcli checkpoint") from error
    if missing := [name for name in (_MODEL, _STATE) if name not in entries]:
        raise DataError(f"{source}/{MANIFEST} names no {missing[0]}; expected a dlcli checkpoint")
    return entries


def _tensors(data: bytes, source: str) -> dict[str, Tensor]:
    try:
        return dict(safetensors.torch.load(data))
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
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
