"""Makes ``builtin:mnist`` from a finished run of its recipe: ``python -m benchmarks.ship_builtin RUN``.

The recipe is ``configs/experiment/mnist_best.yaml``; the shipped files are that run's best checkpoint without the optimizer.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from dlcli.checkpoint import pack, unpack
from dlcli.runs.find import RunInfo, find_model
from dlcli.runs.run import checkpoint_name, read_checkpoint

GOAL = Path(__file__).resolve().parent.parent / "dlcli" / "assets" / "builtin" / "mnist"


def main(reference: str) -> None:
    """Writes the files of the run's best checkpoint into the package."""
    run = find_model(reference)
    assert isinstance(run, RunInfo)
    newest = sorted((run.path / "checkpoints").glob("step-*"))[-1].name
    step = unpack(read_checkpoint(run.path, newest), source=newest).progress["best_step"]
    name = checkpoint_name(int(step))
    checkpoint = unpack(read_checkpoint(run.path, name), source=name)
    shipped = replace(checkpoint, model=checkpoint.weights, ema=None, optimizer=None, progress={"step": step})
    GOAL.mkdir(parents=True, exist_ok=True)
    for file, data in pack(shipped).items():
        (GOAL / file).write_bytes(data)
    assert run.result is not None
    accuracy = run.result.value("test/accuracy")
    print(f"{GOAL.name}: {run.information['command']}, step {step}, test accuracy {accuracy}")


if __name__ == "__main__":
    main(sys.argv[1])
