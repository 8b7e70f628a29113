"""What a run says about itself: ``run.json`` (how it was made) and ``result.json`` (what came out)."""

from __future__ import annotations

import html
import importlib.metadata
import json
import math
import os
import platform
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcli.errors import DataError

SCHEMA = 1
_PACKAGES = ("dlcli", "torch", "torchvision", "numpy", "hydra-core", "safetensors", "scikit-learn")
# Only what changes numbers or placement is recorded; everything else in the environment may be a secret.
_ENVIRONMENT = (
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "SLURM_JOB_ID",
    "DL_DATA",
    "DL_TRUST",
)


@dataclass(frozen=True)
class Result:
    """What a verb gives back: the content of ``result.json`` and where it lies.

    Args:
        metrics: ``split/name`` or ``verb/name`` → {"value", "low", "high", "n", "method"}.
        files: what the run folder holds beside its records, name → path relative to the folder.
    """

    verb: str
    id: str
    parent: str | None
    seconds: float
    path: Path
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Returns ``result.json``, byte for byte."""
        content = {
            "schema": SCHEMA,
            "verb": self.verb,
            "id": self.id,
            "parent": self.parent,
            "seconds": round(self.seconds, 3),
            "metrics": {name: dict(entry) for name, entry in self.metrics.items()},
            "files": dict(self.files),
        }
        return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()

    def value(self, name: str) -> float:
        """Returns one metric's value; NaN where it is null. Raises KeyError."""
        value = self.metrics[name]["value"]
        return math.nan if value is None else float(value)

    def _repr_html_(self) -> str:
        """A table for notebooks: the metrics that are not per class, with their intervals."""
        rows = []
        for name, entry in self.metrics.items():
            if name.count("/") == 1 and entry["value"] is not None:
                bounds = "" if entry["low"] is None else f"[{entry['low']:.4f}, {entry['high']:.4f}]"
                rows.append(f"<tr><td>{html.escape(name)}</td><td>{entry['value']:.4f}</td><td>{bounds}</td></tr>")
        title = html.escape(f"dl {self.verb} · {self.id}")
        return f"<table><caption>{title}</caption><tr><th>metric</th><th>value</th><th>95 %</th></tr>{''.join(rows)}</table>"


def describe_environment() -> dict[str, Any]:
    """Returns versions, machine, git commit and the allowed part of the environment; no paths, no secrets."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "versions": versions,
        "platform": f"{platform.system()}-{platform.machine()}",
        "git": _git_commit(),
        "environment": {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    }


def now() -> str:
    """Returns the UTC time in ISO form with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object in a small JSON file of a run. Raises DataError; FileNotFoundError where there is none."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > 4_000_000:
        raise DataError(f"{path} is no plain file of at most 4 MB; expected a small record")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds {type(content).__name__}, expected an object")
    if content.get("schema", SCHEMA) != SCHEMA:
        raise DataError(
            f"{path} has schema {content['schema']!r}, this dlcli reads schema {SCHEMA}",
            hint="use the dlcli version that wrote it, or a newer one",
        )
    return content


def read_result(folder: Path) -> Result:
    """Returns the result of a finished run. Raises DataError; FileNotFoundError where the run is not finished."""
    path = folder / "result.json"
    content = read_json(path)
    try:
        return Result(
            verb=str(content["verb"]),
            id=str(content["id"]),
            parent=None if content["parent"] is None else str(content["parent"]),
            seconds=float(content["seconds"]),
            path=folder,
            metrics={name: _entry(entry) for name, entry in content["metrics"].items()},
            files={name: str(file) for name, file in content["files"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{path} lacks or garbles {error}; expected a result of dlcli") from error


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One metric as it was written. Raises KeyError, TypeError or ValueError on anything else."""
    value, low, high, n = entry["value"], entry["low"], entry["high"], entry["n"]
    for number in (value, low, high, n):
        if number is not None and not math.isfinite(number):
            raise ValueError(f"the number {number}")
    return {"value": value, "low": low, "high": high, "n": n, "method": entry["method"]}


def _git_commit() -> str | None:
    """The commit of the folder that dl was started in; None outside git.

    Whether files are changed is not asked: comparing contents runs the programs that the folder's own git configuration
    names (filters, hooks), and that folder may be somebody else's.
    """
    command = ["git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def rerun_command(arguments: list[str]) -> str:
    """Returns the command line that repeats a run, quoted for a POSIX shell."""
    import shlex

    return shlex.join(["dl", *arguments])
