"""How two runs were made differently: code, data, libraries, machine. Their configurations are compared in ``commands``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from dlcli.errors import DataError
from dlcli.runs.find import RunInfo, list_runs
from dlcli.runs.record import read_json
from dlcli.runs.run import checkpoint_names

# In the order in which they are shown.
PARTS = ("config", "model", "data", "code", "library", "machine", "environment")


@dataclass(frozen=True)
class Change:
    """Something in which two runs differ.

    Args:
        part: one of ``PARTS``.
        key: a dotted key of the configuration, a package, a variable, or what it is.
        first, second: its two values, plain data; None where a run has none.
        matters: whether it can change a figure.
    """

    part: str
    key: str
    first: Any
    second: Any
    matters: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data."""
        return asdict(self)


def circumstances(first: RunInfo, second: RunInfo) -> list[Change]:
    """Returns all that differs between two runs beside their configurations: model, data, code, libraries, machine, variables."""
    one, other = first.information, second.information
    versions = list(changed("library", _mapping(one, "versions"), _mapping(other, "versions")))
    found = [replace(change, part="code") if change.key == "dlcli" else change for change in versions]
    pairs = {
        ("model", "parent"): (one.get("parent"), other.get("parent")),
        ("data", "digest"): (data_digest(first), data_digest(second)),
        ("code", "git commit"): (one.get("git"), other.get("git")),
        ("machine", "device"): (one.get("device"), other.get("device")),
        ("machine", "threads"): (one.get("threads"), other.get("threads")),
        ("machine", "platform"): (one.get("platform"), other.get("platform")),
    }
    found += [Change(part, key, *pair) for (part, key), pair in pairs.items() if pair[0] != pair[1]]
    found += changed("environment", _mapping(one, "environment"), _mapping(other, "environment"))
    return sorted(found, key=lambda change: PARTS.index(change.part))


def changed(part: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[Change]:
    """Yields the keys whose values differ, in the order of the first mapping; a key that only one has counts as None."""
    for key in [*first, *(key for key in second if key not in first)]:
        # True and 1 are equal in Python, and not the same setting.
        if (type(first.get(key)), first.get(key)) != (type(second.get(key)), second.get(key)):
            yield Change(part, str(key), first.get(key), second.get(key))


def data_digest(run: RunInfo) -> str | None:
    """Returns the digest of the data that a run was trained on, of a child that of its parent; None where it is not known."""
    return trained_on(run).get("data_digest") or None


def trained_on(run: RunInfo) -> dict[str, Any]:
    """Returns the record of a run's newest readable checkpoint, of a child that of its parent; empty where there is none."""
    seen: set[str] = set()
    holder: RunInfo | None = run
    while holder is not None and holder.id not in seen:
        seen.add(holder.id)
        for name in reversed(checkpoint_names(holder.path)):
            try:
                return read_json(holder.path / "checkpoints" / name / "state.json")
            except (OSError, DataError):
                continue
        holder = parent_of(holder)
    return {}


def parent_of(run: RunInfo) -> RunInfo | None:
    """Returns the run that this one started from, or None where there is none or it is gone."""
    parent = run.information.get("parent")
    if not isinstance(parent, str):
        return None
    root = run.path.parent.parent.parent
    return next((other for other in list_runs(root, named=parent)), None)


def ancestors(run: RunInfo) -> list[RunInfo]:
    """Returns the runs that this one goes back to, the nearest first."""
    found: list[RunInfo] = []
    above = parent_of(run)
    while above is not None and above.id not in {run.id, *(other.id for other in found)}:
        found.append(above)
        above = parent_of(above)
    return found


def children(run: RunInfo) -> list[RunInfo]:
    """Returns the runs that started from this one, newest first."""
    return [other for other in list_runs(run.path.parent.parent.parent) if other.information.get("parent") == run.id]


def _mapping(information: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = information.get(key)
    return value if isinstance(value, Mapping) else {}
