"""From a model reference to a model in memory, with its classes, preprocessing and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcli.checkpoint import Checkpoint, unpack
from dlcli.classifier import Classifier, Preprocessing
from dlcli.commands.console import Talk
from dlcli.config.build import build
from dlcli.config.stored import read_stored
from dlcli.contracts import DataBundle, DataSource, DataSpec
from dlcli.data.digest import digest_of
from dlcli.engine.device import memory_errors, place
from dlcli.errors import ConfigError, DataError, StorageError, UsageError, did_you_mean
from dlcli.runs.find import BUILTIN, RunInfo, default_model, find_model
from dlcli.runs.folder import read_folder
from dlcli.runs.record import read_json
from dlcli.runs.run import checkpoint_name, checkpoint_names, read_checkpoint, read_config

# What says which data a source reads, and what says how it splits them.
_PLACES = ("_target_", "root", "path", "target", "gate", "seed")
_SPLITTERS = ("split_seed", "val_size", "val_share", "test_share")
ASSETS = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True)
class Loaded:
    """A model ready for use.

    Args:
        model: on the device, in evaluation mode.
        reference: what goes into ``parent``: the run's id, ``builtin:mnist``, or ``pretrained:NAME``.
        name: the name of the model's run, ``builtin-mnist``, or ``pretrained-NAME``.
        data: the node of the data that it was trained on; empty for ``pretrained:NAME``, whose data are not here.
        parent: what the run says it was made from, such as a model that it goes on from; None where it began with new weights.
    """

    model: Classifier
    checkpoint: Checkpoint
    reference: str
    name: str
    data: Mapping[str, Any]
    parent: str | None = None


def load_model(reference: str | None, *, which: str, device: torch.device, talk: Talk) -> Loaded:
    """Returns the model that ``reference`` names; without one the newest finished model, else the shipped one, and says so.

    Args:
        which: ``best``, ``last`` or a step number.

    Raises:
        UsageError: nothing or more than one fits. DataError: no checkpoint verifies, or it names code that may not be built.
    """
    run: RunInfo | str | None
    if reference is None:
        run, shipped = default_model()
        if shipped:
            talk.line(f"no finished run here: using the shipped model {BUILTIN}")
    else:
        run = find_model(reference)
    if not which.isdecimal() and which not in {"best", "last"}:
        near = did_you_mean(which, ["best", "last"])
        raise UsageError(f"--checkpoint {which}: expected best, last or a step number{near}", hint="--checkpoint best")
    if run is None or isinstance(run, str):
        if which.isdecimal():
            raise UsageError(f"--checkpoint {which}: {run or BUILTIN} has one checkpoint", hint="leave out --checkpoint")
        if run is None:
            return _load_builtin(device)
        from dlcli.commands.pretrained import load_pretrained  # it needs this module

        return load_pretrained(run, device=device, talk=talk)
    checkpoint, name = _chosen_checkpoint(run, which, talk)
    talk.line(f"model: {run.verb} {run.name} {run.id} · {name}")
    config = _stored_config(run)
    model = rebuild(checkpoint, source=str(run.path))
    placed = place(model, device)
    assert isinstance(placed, Classifier)
    parent = run.information.get("parent")
    return Loaded(
        placed.eval(), checkpoint, run.id, run.name, _mapping(config.get("data"), run), None if parent is None else str(parent)
    )


def rebuild(checkpoint: Checkpoint, *, source: str) -> Classifier:
    """Returns the classifier of a checkpoint with its weights. Raises DataError where the two do not fit, or may not be built."""
    model = assemble(checkpoint.node, checkpoint.spec, checkpoint.preprocessing, source=source)
    load_weights(model, checkpoint.weights, source=source)
    return model


def assemble(node: Mapping[str, Any], spec: DataSpec, preprocessing: Preprocessing, *, source: str | None = None) -> Classifier:
    """Returns a classifier with fresh weights; from a run folder (``source``) mistakes are its, not the user's."""
    own = replace(spec, shape=preprocessing.shape)
    try:
        with memory_errors("the network", "smaller widths"):
            return Classifier(spec, build("model", node, spec=own), preprocessing=preprocessing)
    except ConfigError as error:
        if source is None:
            raise
        raise DataError(f"{source}: {error.message}", hint=error.hint) from error


def load_weights(model: Classifier, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Copies weights into a model. Raises DataError naming the first five tensors that do not fit."""
    own = model.state_dict()
    wrong = [f"{name} is missing" for name in own if name not in weights]
    wrong += [f"{name} has no place" for name in weights if name not in own]
    wrong += [
        f"{name} is {tuple(weights[name].shape)}, expected {tuple(own[name].shape)}"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    if wrong:
        raise DataError(f"{source}: weights do not fit the network: {'; '.join(wrong[:5])}")
    # Not load_state_dict: some of torchvision's networks ask it for a version that only pickled state dicts carry.
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])


def refuse_other_data(bundle: DataBundle, trained: Checkpoint, *, source: str) -> None:
    """Raises DataError where data are not those that a model was trained on: another name, shape, classes, content or split."""
    spec, before = bundle.spec, trained.spec
    if (spec.name, spec.shape, spec.classes) != (before.name, before.shape, before.classes):
        then = f"{before.name} {before.shape} with {len(before.classes)} classes"
        now = f"{spec.name} {spec.shape} with {len(spec.classes)}"
        raise DataError(f"{source} was trained on {then}; its data are now {now}, or in another order")
    if trained.data_digest and (bundle.digest or digest_of(bundle)) != trained.data_digest:
        reason = f"the {spec.kind}s of {spec.name} have changed since {source} was trained, or are split otherwise"
        raise DataError(
            f"{reason}: its test examples may be among those it learned", hint="bring the old data back, or train again"
        )


def refuse_mixed_parts(node: Mapping[str, Any], parent: Mapping[str, Any], *, reference: str) -> None:
    """Raises UsageError where the same source is split otherwise than for a model that goes on from it.

    What one split tests on, the other has trained on.
    """
    if any(node.get(key) != parent.get(key) for key in _PLACES):
        return
    for key in _SPLITTERS:
        if node.get(key) != parent.get(key):
            reason = f"{reference} was trained on the same data with data.{key}={parent.get(key)}, now it is {node.get(key)}"
            raise UsageError(f"{reason}: it has seen examples that would be tested", hint=f"data.{key}={parent.get(key)}")


def data_source(node: Mapping[str, Any], *, source: str, workers: int = 0) -> DataSource:
    """Returns the data source that a run folder names. Raises DataError where it is not one of a trusted package."""
    try:
        built = build("data", node, workers=workers)
    except ConfigError as error:
        raise DataError(f"{source}: {error.message}", hint=error.hint) from error
    assert isinstance(built, DataSource)
    return built


def newest_good(run_path: Path, talk: Talk) -> tuple[Checkpoint, str] | None:
    """Returns the newest checkpoint that verifies, warning of each that does not; None where none was ever written.

    Raises DataError where there are checkpoints and none verifies.
    """
    names = checkpoint_names(run_path)
    for name in reversed(names):
        try:
            return unpack(read_checkpoint(run_path, name), source=f"{run_path}/checkpoints/{name}"), name
        except (DataError, StorageError) as error:
            talk.warn(f"{error.message}; trying the one before")
    if names:
        raise DataError(f"no checkpoint of {run_path} verifies ({len(names)} tried)")
    return None


def _chosen_checkpoint(run: RunInfo, which: str, talk: Talk) -> tuple[Checkpoint, str]:
    names = checkpoint_names(run.path)
    wanted = checkpoint_name(int(which)) if which.isdecimal() else _indexed(run.path, which)
    if wanted is not None and wanted in names:
        try:
            return unpack(read_checkpoint(run.path, wanted), source=f"{run.path}/checkpoints/{wanted}"), wanted
        except (DataError, StorageError) as error:
            if which.isdecimal():
                raise
            talk.warn(f"{error.message}; taking the newest that verifies")
    elif which.isdecimal():
        steps = ", ".join(str(int(name.removeprefix("step-"))) for name in names)
        expected = f"expected best, last or one of {steps}"
        raise UsageError(f"--checkpoint {which}: run {run.id} has no such checkpoint; {expected}", hint="--checkpoint best")
    elif names:
        talk.warn(f"{run.path}/checkpoints/index.json does not say which checkpoint is {which}; taking the newest")
    found = newest_good(run.path, talk)
    if found is None:
        raise UsageError(f"run {run.id} holds no checkpoint", hint="dl runs shows what is there")
    return found


def _indexed(path: Path, which: str) -> str | None:
    """The checkpoint that the index names, or None where the index is missing or damaged."""
    try:
        index = read_json(path / "checkpoints" / "index.json")
    except (OSError, DataError):
        return None
    name = index.get(which) or index.get("last")
    return name if isinstance(name, str) else None


def _load_builtin(device: torch.device) -> Loaded:
    folder = ASSETS / "builtin" / "mnist"
    checkpoint = unpack(read_folder(folder), source=BUILTIN)
    model = place(rebuild(checkpoint, source=BUILTIN), device)
    assert isinstance(model, Classifier)
    data = {"_target_": "dlcli.data.mnist.MNIST", "root": None, "split_seed": 0, "val_size": 5000}
    return Loaded(model.eval(), checkpoint, BUILTIN, BUILTIN.replace(":", "-"), data)


def _stored_config(run: RunInfo) -> Mapping[str, Any]:
    """The configuration that a run was made with; what is wrong with it is the folder's fault, not the user's."""
    path = run.path / "config.yaml"
    try:
        return read_stored(read_config(run.path), source=str(path))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; expected the configuration of a dlcli run") from error
    except ConfigError as error:
        raise DataError(error.message) from error


def _mapping(node: Any, run: RunInfo) -> Mapping[str, Any]:
    if not isinstance(node, Mapping):
        raise DataError(f"{run.path}/config.yaml names no data")
    return node
