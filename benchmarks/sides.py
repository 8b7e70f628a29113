"""The sides that several tables share: dl itself, a Python script of the peers, and a folder to work in."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import PYTHON, Side

# Not imported from dlcli: the process that measures must stay small, for a child's peak memory starts at its parent's.
SHIPPED = Path(__file__).resolve().parents[1] / "dlcli" / "assets" / "mnist"
DL = shutil.which("dl") or "dl"


@contextmanager
def workplace() -> Iterator[Path]:
    """Lends a folder with MNIST as torchvision leaves it; runs that dl makes meanwhile go there and are gone afterwards."""
    before = os.environ.get("DL_RUNS")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = folder / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for file in SHIPPED.glob("*.gz"):
            (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        os.environ["DL_RUNS"] = str(folder / "runs")
        try:
            yield folder
        finally:
            del os.environ["DL_RUNS"]
            if before is not None:
                os.environ["DL_RUNS"] = before


def peer(name: str, module: str, *words: str, seeded: bool = False) -> Side:
    """A script of ``benchmarks.peers``; with ``seeded`` it gets the repeat's number as ``--seed``."""
    command = [PYTHON, "-m", f"benchmarks.peers.{module}", *words]
    return Side(name, lambda number: [*command, "--seed", str(number)] if seeded else command)


def dl(name: str, *words: str, seeded: bool = False) -> Side:
    """A verb of dl that makes a run; with ``seeded`` it gets the repeat's number as ``--seed``."""
    command = [DL, *words, "--json", "--quiet"]
    return Side(name, lambda number: [*command, "--seed", str(number)] if seeded else command, reads=read_result)


def read_result(text: str) -> Mapping[str, Any]:
    """What the tables use of ``result.json`` and of the run that it belongs to."""
    content = json.loads(text)
    metrics = {name: entry["value"] for name, entry in content["metrics"].items() if name.count("/") == 1}
    found = {"accuracy": metrics["test/accuracy"]} if "test/accuracy" in metrics else {}
    folder = next(Path(os.environ["DL_RUNS"]).glob(f"*/*/{content['id']}"))
    if (folder / "metrics.jsonl").exists():
        found |= _training_clock(folder)
    return {**metrics, **found}


def _training_clock(folder: Path) -> dict[str, float]:
    """Seconds from the run's start to its last epoch's end, and milliseconds per step between the first and the last report."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    start = datetime.fromisoformat(json.loads((folder / "run.json").read_text())["start"]).timestamp()
    steps = [(line["step"], line["time"]) for line in lines if (line["split"], line["name"]) == ("train", "loss")]
    found = {"train_seconds": max(line["time"] for line in lines) - start}
    if len(steps) > 1:
        (first, began), (last, ended) = steps[0], steps[-1]
        found |= {"first_step": first, "last_step": last, "ms_per_step": 1000 * (ended - began) / (last - first)}
    return found
