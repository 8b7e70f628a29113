"""``dl fetch``: published data sets and weights, brought ahead of time.

Which data sets there are is what the classes of the data YAMLs say; weights are those of ``pretrained:NAME``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dlcli.commands.console import Talk
from dlcli.commands.pretrained import fetch_weights
from dlcli.config.build import resolve
from dlcli.config.catalog import entries, read_yaml
from dlcli.data.fetchable import Published, Remote, digest_of, readable
from dlcli.data.places import is_here, own_folder, ways
from dlcli.errors import Interrupted, Terminated, UsageError, nearest, suggestion
from dlcli.models.pretrained import PREFIX, Pretrained, describe, pretrained_names
from dlcli.models.published_torchvision import other_purpose
from dlcli.runs.download import download, keep_contents


@dataclass(frozen=True)
class Fetched:
    """What became of one name.

    Args:
        state: "fetched", "present" (it was there and right), or "nothing" (it comes with dlcli, or is the user's own).
        folder: where it lies; None for "nothing".
        size: bytes that were to download; 0 unless fetched.
    """

    name: str
    state: str
    folder: str | None
    size: int


def published_sets(*, config_dir: str | None = None) -> dict[str, Published | None]:
    """Returns what each name of a data set stands for: what is published of it, or None where there is nothing to fetch.

    Names are those of the data YAMLs, and those that published sets give themselves.
    """
    found: dict[str, Published | None] = {}
    for name, path in entries("data", user=config_dir).items():
        published = getattr(resolve("data", read_yaml(path).get("_target_")), "published", None)
        found[name] = published
        if published is not None:
            found[published.name] = published
    return dict(sorted(found.items()))


def listing(*, to: str | None = None, config_dir: str | None = None) -> list[dict[str, Any]]:
    """Returns what can be fetched: name, bytes to download, terms, folder, and whether files of these names are there."""
    return [
        {
            "name": published.name,
            "size": published.size,
            "terms": published.terms,
            "folder": str(_folder(published, to)),
            "here": all(is_here(published, remote, root=to, checked=False) for remote in published.files),
        }
        for name, published in published_sets(config_dir=config_dir).items()
        if published is not None and published.name == name
    ]


def fetch(names: Sequence[str], *, to: str | None = None, config_dir: str | None = None, talk: Talk) -> list[Fetched]:
    """Brings the named data sets, each into a folder of its own name, and the weights of named networks.

    Args:
        to: of data sets: the folder above these; None means ``$DL_DATA``, else the user cache.

    Raises:
        UsageError: a name is unknown; then nothing is fetched.
        StorageError: it cannot be reached, or the disk is full.
        DataError: what came is not what is published.
        Interrupted: a signal; what came is kept.
    """
    known = published_sets(config_dir=config_dir)
    weights = {name: _weights_of(name, known, to=to) for name in names if name not in known}
    done = [
        _fetch_weights(weights[name], talk) if name in weights else _fetch(name, known[name], to=to, talk=talk)
        for name in dict.fromkeys(names)
    ]
    place = f"DL_DATA={to} " if to is not None else ""
    trained = [one.name for one in done if one.state != "nothing" and one.name in entries("experiment", user=config_dir)]
    if trained:
        talk.next_commands(*((f"{place}dl train {name}", f"train on {name}") for name in trained))
    return done


def _weights_of(name: str, known: Mapping[str, Any], *, to: str | None) -> Pretrained:
    """What is published as the weights of a network. Raises UsageError where no data set and no network has this name."""
    short = name.removeprefix(PREFIX)
    network = short.partition("@")[0]
    if short == name and "/" not in name and network not in (names := pretrained_names()) and other_purpose(network) is None:
        near = nearest(network, [*known, *names])
        hint = f"dl fetch {near[0]}" if near else "dl fetch --list"
        raise UsageError(f"there is no data set '{name}', nor a pretrained network{suggestion(near)}", hint=hint)
    published = describe(short, typed=PREFIX if short != name else "dl fetch ")
    if to is not None:
        raise UsageError(f"--to {to} is for data sets; weights go to the cache", hint=f"dl fetch {name}")
    return published


def _fetch_weights(published: Pretrained, talk: Talk) -> Fetched:
    state, folder, size = fetch_weights(published, talk)
    return Fetched(published.reference, state, folder, size)


def _fetch(name: str, published: Published | None, *, to: str | None, talk: Talk) -> Fetched:
    if published is None:
        talk.line(f"{name}: nothing to fetch; it comes with dlcli, or is your own")
        return Fetched(name, "nothing", None, 0)
    folder = _folder(published, to)
    lacking = [remote for remote in published.files if not is_here(published, remote, root=to)]
    if not lacking:
        talk.line(f"{name}: already there and right")
        return Fetched(name, "present", str(folder), 0)
    for remote in lacking:
        _bring(published, remote, folder, hint=ways(published.name, folder=folder, to=to), talk=talk)
    talk.line(f"{name}: ready, in {folder}", style="green")
    return Fetched(name, "fetched", str(folder), sum(remote.size for remote in lacking))


def _bring(published: Published, remote: Remote, folder: Path, *, hint: str, talk: Talk) -> None:
    """Downloads a file, unless the archive that it is was copied here, and unpacks it where that is wanted."""
    goal = folder / remote.name
    if not (remote.contents and goal.is_file() and digest_of(goal, like=remote.digest) == remote.digest):
        talk.line(f"{published.name}: {remote.name}, {readable(remote.size)} from {urlsplit(remote.urls[0]).hostname}")
        with _stopping(published, folder), talk.progress("MB", _megabytes(remote.size)) as bar:
            started, first = time.perf_counter(), -1

            def advance(size: int) -> None:
                nonlocal first
                first = size if first < 0 else first
                speed = (size - first) / 1e6 / max(time.perf_counter() - started, 1e-3)
                bar.at(_megabytes(size), f"{speed:.1f} MB/s")

            download(remote, goal, hint=hint, advance=advance)
    if remote.contents:
        talk.line(f"{published.name}: unpacking {remote.name}")
        with _stopping(published, folder):
            keep_contents(remote, goal, folder, hint=hint)


@contextmanager
def _stopping(published: Published, folder: Path) -> Iterator[None]:
    """Says on a signal that nothing is lost."""
    try:
        yield
    except (KeyboardInterrupt, Terminated) as stop:
        number = 15 if isinstance(stop, Terminated) else 2
        raise Interrupted(
            f"stopped by a signal; what came of {published.name} is kept in {folder}",
            signal_number=number,
            hint=f"dl fetch {published.name} goes on from there",
        ) from stop


def _folder(published: Published, to: str | None) -> Path:
    return own_folder(published.name) if to is None else Path(to).expanduser() / published.name


def _megabytes(size: int) -> int:
    return round(size / 1e6)
