"""Outcomes of finished attacks in the run's folder, so that a killed report goes on behind them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.commands.attack_chain import Link
from dlcli.commands.subject import Subject
from dlcli.engine.outcomes import Clean, Outcomes
from dlcli.errors import DataError
from dlcli.runs.record import SCHEMA, read_json
from dlcli.runs.run import Run


def digest_of(subject: Subject, clean: Clean, attack: object, rows: Tensor, *, seed: int) -> str:
    """Returns a digest of what outcomes depend on: weights, examples, the attack with its settings, the seed, the version."""
    digest = hashlib.sha256(digest_of_weights(subject.loaded.model).encode())
    said = (clean.digest, repr(attack), seed)
    digest.update(repr(said).encode())
    digest.update(rows.numpy().tobytes())
    return digest.hexdigest()


def digest_of_weights(*models: nn.Module) -> str:
    """Returns a digest of the models' weights and of the versions that compute with them."""
    digest = hashlib.sha256(repr((importlib.metadata.version("dlcli"), torch.__version__)).encode())
    for model in models:
        for name, tensor in sorted(model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def keep(run: Run, folder: str, link: Link, found: Outcomes, *, digest: str) -> None:
    """Writes ``FOLDER/LINK.json``, whole or not at all."""
    content = {
        "schema": SCHEMA,
        "attack": repr(link.attack),
        "digest": digest,
        "forwards": found.forwards,
        "backwards": found.backwards,
        "seconds": found.seconds,
        "rows": found.rows.tolist(),
        "predicted": found.predicted.tolist(),
        "distances": found.distances.tolist(),
    }
    run.write(f"{folder}/{link.name}.json", (json.dumps(content) + "\n").encode())


def kept(run: Run, folder: str, link: Link, rows: Tensor, *, digest: str) -> Outcomes | None:
    """Returns what a link came to on ``rows``; None where that is not there, is damaged, or depends on something else."""
    path = run.path / folder / f"{link.name}.json"
    try:
        content = read_json(path)
        if content["digest"] != digest:
            return None
        found = Outcomes(
            rows=_numbers(content["rows"], torch.int64),
            predicted=_numbers(content["predicted"], torch.int64),
            distances=_numbers(content["distances"], torch.float32),
            forwards=int(content["forwards"]),
            backwards=int(content["backwards"]),
            seconds=float(content["seconds"]),
        )
    except (FileNotFoundError, DataError, KeyError, TypeError, ValueError, RuntimeError, OverflowError):
        return None
    whole = torch.equal(found.rows, rows) and len(found.predicted) == len(found.distances) == len(rows)
    return found if whole and bool(found.distances.isfinite().all()) else None


def _numbers(values: Sequence[Any], dtype: torch.dtype) -> Tensor:
    if not isinstance(values, list):
        raise TypeError("expected a list")
    return torch.tensor(values, dtype=dtype)
