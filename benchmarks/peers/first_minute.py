"""A stranger's first minute: clone, the README's command, then the first adversarial picture and the first heat map."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Prints the seconds from the clone to the trained network and to both pictures, with packages in uv's cache."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "dlcli"
        environment = {key: value for key, value in os.environ.items() if key not in {"VIRTUAL_ENV", "DL_RUNS"}}
        started = time.perf_counter()

        def after(*command: str) -> float:
            subprocess.run(command, cwd=folder if folder.exists() else name, env=environment, check=True, capture_output=True)
            return time.perf_counter() - started

        after("git", "clone", "--quiet", str(ROOT), str(folder))
        seconds = {
            "set_up": after("uv", "run", "--quiet", "dl", "--version"),
            "trained": after("uv", "run", "--quiet", "dl", "train", "mnist"),
            "attacked": after("uv", "run", "--quiet", "dl", "attack", "fgsm"),
            "explained": after("uv", "run", "--quiet", "dl", "explain", "gradcam"),
        }
        pictures = [*folder.glob("runs/attack/*/*/plots/triple.png"), *folder.glob("runs/explain/*/*/plots/overlays.png")]
    if len(pictures) != 2:
        raise SystemExit(f"expected one adversarial picture and one of heat maps, found {len(pictures)}")
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
