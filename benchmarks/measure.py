"""Measuring whole processes side by side: alternating order, the same threads, medians and goals, kept as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
PYTHON = sys.executable
_PACKAGES = ("torch", "torchvision", "numpy", "typer", "hydra-core", "fastai")


@dataclass(frozen=True)
class Trial:
    """One process: wall and CPU seconds (user and system, all threads), largest resident memory, and the JSON it printed."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        return float(self.output[name] if name in self.output else getattr(self, name))


def _last_json(text: str) -> Mapping[str, Any]:
    lines = [line for line in text.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {}


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Args:
        command: what is run for repeat number ``n``; its last line on standard output may be a JSON object.
        reads: takes the process's standard output to what is kept of it.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    reads: Callable[[str], Mapping[str, Any]] = _last_json


@dataclass(frozen=True)
class Goal:
    """A figure, mostly a ratio of two sides, and the bound that it should reach."""

    name: str
    value: float
    bound: float
    at_least: bool

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def run_alternating(sides: Sequence[Side], repeats: int) -> dict[str, list[Trial]]:
    """Runs every side ``repeats`` times, one process at a time, in an order that turns by one with every repeat."""
    trials: dict[str, list[Trial]] = {side.name: [] for side in sides}
    for number in range(repeats):
        turn = number % len(sides)
        for side in [*sides[turn:], *sides[:turn]]:
            trial = run_process(side, number)
            trials[side.name].append(trial)
            print(f"  {side.name} #{number}: {trial.seconds:.2f} s, {trial.peak_mb:.0f} MB {_short(trial.output)}", flush=True)
    return trials


def run_process(side: Side, number: int) -> Trial:
    """Runs one side once. Raises RuntimeError with its last words where it fails."""
    command = list(side.command(number))
    threads = {"OMP_NUM_THREADS": str(os.cpu_count() or 1)}
    environment = {**os.environ, **threads}
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process:
            assert process.stdout is not None
            output = process.stdout.read()
            # Waited for by hand: only so does a process give its own usage.
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            raise RuntimeError(f"{side.name} ended with {process.returncode}: {' '.join(command)}\n{errors.read()[-2000:]}")
    return Trial(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, side.reads(output))


def median(trials: Iterable[Trial], figure: str = "seconds") -> float:
    """The median of one figure over trials."""
    return statistics.median(trial[figure] for trial in trials)


def save(
    table: str, before: Mapping[str, Any], trials: Mapping[str, Sequence[Trial]], goals: Sequence[Goal], **more: Any
) -> Path:
    """Writes ``results/<table>.json`` and prints each figure beside its goal; ``before`` is the :func:`machine` of the start."""
    content = {
        "table": table,
        "machine": before,
        "sides": {name: [asdict(trial) for trial in side] for name, side in trials.items()},
        "goals": [{**asdict(goal), "met": goal.met} for goal in goals],
        **more,
    }
    for name, side in trials.items():
        print(
            f"{name:<44} median {median(side):8.2f} s {median(side, 'cpu_seconds'):8.2f} CPU s {median(side, 'peak_mb'):6.0f} MB"
        )
    for goal in goals:
        sign = "≥" if goal.at_least else "≤"
        print(f"{'ok   ' if goal.met else 'SHORT'} {goal.name}: {goal.value:.4g} (goal {sign} {goal.bound:g})")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{table}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return path


def machine() -> dict[str, Any]:
    """What was measured on: processor, cores, versions, and the load of the minute before."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
        "load_1_min": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _short(output: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in output.items() if isinstance(value, int | float))
