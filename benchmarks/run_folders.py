"""A folder of made-up runs, as many and as large as a year of work leaves behind."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

CLASSES = 10
_VERBS = ("train", "train", "evaluate", "attack", "finetune")
_CONFIG = Path(__file__).resolve().parents[1] / "configs" / "train.yaml"


def make_runs(root: Path, count: int) -> None:
    """Writes ``count`` run folders below ``root``: every eighth one unfinished, with the records that real runs have."""
    draw = random.Random(0)
    for number in range(count):
        verb, name = _VERBS[number % len(_VERBS)], f"name{number % 23}"
        run_id = f"202611{1 + number // 86400:02d}-{number:06d}.000-{draw.randrange(16**6):06x}"
        folder = root / verb / name / run_id
        state = folder / "checkpoints" / "step-00001720" / "state.json"
        state.parent.mkdir(parents=True)
        (folder / ".lock").write_text("process 1 on a machine since 00:00:00")
        (folder / "config.yaml").write_bytes(_CONFIG.read_bytes())
        (folder / "run.json").write_text(json.dumps(_information(run_id, verb, name), indent=1))
        state.write_text(json.dumps({"schema": 1, "spec": {"name": name}, "data_digest": f"{number % 23:032x}"}))
        if number % 8:
            (folder / "result.json").write_text(json.dumps(_result(run_id, verb, draw), indent=1))


def _information(run_id: str, verb: str, name: str) -> dict[str, Any]:
    packages = ("python", "dlcli", "torch", "torchvision", "numpy", "hydra-core", "safetensors", "scikit-learn")
    return {
        "schema": 1,
        "id": run_id,
        "verb": verb,
        "name": name,
        "command": f"dl {verb} mnist --epochs 4 optimizer.lr=0.05",
        "overrides": ["trainer.epochs=4", "optimizer.lr=0.05", "experiment=mnist"],
        "parent": None,
        "sweep": None,
        "trial": None,
        "fast_dev_run": False,
        "device": "cpu (2 threads)",
        "threads": 2,
        "versions": dict.fromkeys(packages, "2.15.0"),
        "platform": "Linux-x86_64",
        "git": "d1e0648a77e2",
        "environment": {},
        "start": "2026-11-26T00:34:46.282617+00:00",
        "end": "2026-11-26T00:35:00.654557+00:00",
        "failure": None,
    }


def _result(run_id: str, verb: str, draw: random.Random) -> dict[str, Any]:
    whole = ("accuracy", "balanced_accuracy", "top3_accuracy", "macro_f1", "nll", "brier", "ece", "adaptive_ece", "auroc")
    names = [*whole, *(f"{name}/{label}" for name in ("precision", "recall", "f1") for label in range(CLASSES))]
    metrics = {}
    for name in names:
        value = draw.uniform(0.9, 0.99)
        entry = {"value": value, "low": value - 0.002, "high": value + 0.002, "n": 10_000, "method": "wilson"}
        metrics[f"test/{name}"] = entry
    files = {"curves": "plots/curves.png"}
    return {"schema": 1, "verb": verb, "id": run_id, "parent": None, "seconds": 20.5, "metrics": metrics, "files": files}
