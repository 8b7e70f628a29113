"""``pretrained:NAME``: a network with published ImageNet weights, its own classes and its own preprocessing."""

from __future__ import annotations

import re
import time
from pathlib import Path

import torch
from torch import Tensor

from dlcli.checkpoint import Checkpoint
from dlcli.classifier import Classifier
from dlcli.commands.console import Talk
from dlcli.commands.models import Loaded, assemble, load_weights
from dlcli.contracts import DataSpec
from dlcli.data.fetchable import readable
from dlcli.engine.device import place
from dlcli.errors import ConfigError, Interrupted, Terminated, UsageError
from dlcli.models.foreign_weights import with_counts
from dlcli.models.pretrained import PREFIX, Pretrained, describe
from dlcli.models.weight_files import as_safetensors, tensors_of
from dlcli.runs.weights import bring, find_published, keep, kept_folder, published_bytes, read_kept

_EPSILON = {"linf": 4 / 255, "l2": 3.0}


def load_pretrained(reference: str, *, device: torch.device, talk: Talk) -> Loaded:
    """Returns the network that ``pretrained:NAME[@SET]`` names, with its published weights and never with others.

    Its spec is ImageNet's: images whose shorter side is what its preprocessing makes of any size, and its own class names.

    Raises:
        UsageError: there is no such network. StorageError: its weights are not here and cannot be reached.
        DataError: what is here under their name is something else.
    """
    published = describe(reference.removeprefix(PREFIX))
    tensors = published_weights(published, talk)
    preprocessing = published.preprocessing
    side = preprocessing.resize or preprocessing.shape[1]
    spec = DataSpec(
        name="imagenet",
        shape=(preprocessing.shape[0], side, side),
        classes=published.classes,
        mean=preprocessing.mean,
        std=preprocessing.std,
        epsilon=_EPSILON,
    )
    try:
        model = assemble(published.node, spec, preprocessing)
    except ConfigError as error:
        raise UsageError(f"{reference}: {error.message}", hint=error.hint) from error
    weights = with_counts(published.own_weights(tensors), model.state_dict())
    load_weights(model, weights, source=published.reference)
    placed = place(model, device)
    assert isinstance(placed, Classifier)
    checkpoint = Checkpoint(model=weights, spec=spec, preprocessing=preprocessing, node=published.node, progress={})
    talk.line(f"model: {published.reference} · {len(published.classes)} classes · {published.file}")
    # A run on it is called so, and @ is no letter of a run's name.
    return Loaded(placed.eval(), checkpoint, published.reference, re.sub(r"[:/@]", "-", published.reference), {})


def published_weights(published: Pretrained, talk: Talk) -> dict[str, Tensor]:
    """Returns the weights by their published names: from dlcli's cache, from where others left them, or from the network.

    What is found or fetched is kept as safetensors. Raises StorageError, DataError.
    """
    kept = read_kept(published)
    if kept is not None:
        return tensors_of(kept, source=f"{kept_folder(published)}/model.safetensors")
    path = find_published(published, warn=talk.warn)
    fetched = path is None
    if path is None:
        path = _download(published, talk)
    tensors = tensors_of(published_bytes(path), source=str(path))
    folder = keep(published, as_safetensors(tensors))
    talk.line(f"weights of {published.name}: {path.name} kept as safetensors in {folder}")
    if fetched:
        path.unlink(missing_ok=True)
    return tensors


def fetch_weights(published: Pretrained, talk: Talk) -> tuple[str, str, int]:
    """Gets weights ahead of time; returns the state ("fetched" or "present"), the folder, and the bytes that came."""
    folder = kept_folder(published)
    if read_kept(published) is not None:
        talk.line(f"{published.name}: already there and right")
        return "present", str(folder), 0
    published_weights(published, talk)
    talk.line(f"{published.name}: ready, in {folder}", style="green")
    return "fetched", str(folder), published.size


def _download(published: Pretrained, talk: Talk) -> Path:
    """The published file from the network, with a progress bar; a signal loses nothing."""
    started, first = time.perf_counter(), -1

    def begin(size: int) -> None:
        talk.line(f"{published.name}: {published.file}, {readable(size)} from {str(published.url).split('/')[2]}")

    try:
        with talk.progress("MB", max(1, round(published.size / 1e6))) as bar:

            def advance(size: int) -> None:
                nonlocal first
                first = size if first < 0 else first
                speed = (size - first) / 1e6 / max(time.perf_counter() - started, 1e-3)
                bar.at(round(size / 1e6), f"{speed:.1f} MB/s")

            return bring(published, begin=begin, advance=advance)
    except (KeyboardInterrupt, Terminated) as stop:
        number = 15 if isinstance(stop, Terminated) else 2
        said = f"stopped by a signal; what came of {published.file} is kept"
        raise Interrupted(said, signal_number=number, hint=f"dl fetch {published.name} goes on from there") from stop
