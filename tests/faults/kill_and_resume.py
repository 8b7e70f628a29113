"""Kills training runs with SIGKILL and stops them with signals, resumes them, and compares with a run that nobody disturbed.

By hand, from the repository's root: ``python -m tests.faults.kill_and_resume --kills 20 --points all --signals``.

One parent imports torch once, with one thread, and forks each trial, so a kill and its resume take about a second. A crash
point is a moment before a call that changes the disk (mkdir, write, half a write, fsync, rename, truncate, unlink, rmdir):
the child counts them and kills itself at its number. What must be equal at the end: the bytes of every tensor file of the
last checkpoint, the index, ``metrics.jsonl`` but for its clock, and the result's metrics; and nothing temporary may be left.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before torch is imported: a forked child must not inherit a pool of threads.
os.environ["OMP_NUM_THREADS"] = "1"

import torch

from dlcli.cli import main as dl
from dlcli.commands.train import resume, train
from dlcli.config.compose import compose
from dlcli.config.invocation import Invocation
from dlcli.config.schema import TrainSettings, checked_settings
from dlcli.engine import fit as engine
from dlcli.runs.find import RunInfo, list_runs
from dlcli.runs.run import checkpoint_names

# Everything that could break exactness at once: BatchNorm, dropout, augmentation, EMA, momentum, accumulation, a last
# group that is short, and checkpoints in the middle of an epoch.
OVERRIDES = (
    "data=digits", "augment=shift", "optimizer=sgd", "scheduler=cosine", "model=small_cnn", "model.widths=[4,6]",
    "model.kernel_sizes=[3,3]", "model.strides=[1,1]", "model.pools=[2,1]", "model.dropout=0.3", "optimizer.lr=0.05",
    "trainer.epochs=2", "trainer.batch_size=16", "trainer.accumulate=2", "trainer.save_every=3", "trainer.log_every=2",
    "trainer.ema=0.9", "limit_train=150", "device=cpu", "name=victim",
)  # fmt: skip
STEPS = 10  # 150 examples in groups of 32 are 5 steps an epoch
QUIET = Invocation(verb="train", quiet=True)


class Failed(Exception):
    """A trial ended differently from the undisturbed run."""


def main(arguments: list[str] | None = None) -> int:
    """Runs the trials asked for; returns 1 where one of them went wrong."""
    parser = argparse.ArgumentParser(description="kill, resume, compare")
    parser.add_argument("--kills", type=int, default=0, help="SIGKILLs at random moments")
    parser.add_argument("--points", default="0", help="how many crash points, spread over all; or all")
    parser.add_argument("--signals", action="store_true", help="SIGINT and SIGTERM in training and validation, and twice")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--folder", type=Path, help="where the runs go; default: a temporary folder")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    _warm_up()
    with contextlib.ExitStack() as stack:
        base = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        laboratory = Laboratory(base)
        print(f"seed {options.seed} · undisturbed: {laboratory.seconds:.2f} s, {laboratory.points} crash points", flush=True)
        try:
            if options.points != "0":
                laboratory.crash_at_points(laboratory.points if options.points == "all" else int(options.points))
            if options.kills:
                laboratory.kill_at_random(options.kills, random.Random(options.seed))
            if options.signals:
                laboratory.stop_with_signals()
        except Failed as failure:
            print(f"FAILED (seed {options.seed}): {failure}")
            return 1
    return 0


class Laboratory:
    """The undisturbed run, and the trials that are compared with it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        # Composed here once: a child must not spend its life in Hydra.
        settings = checked_settings("train", compose("train", OVERRIDES))
        assert isinstance(settings, TrainSettings)
        self.settings = settings
        root, counted = base / "undisturbed", base / "points"
        started = time.perf_counter()
        code = _wait(self._fork(root, self._go_on, counted=counted))
        self.seconds = time.perf_counter() - started
        if code != 0:
            raise Failed(f"the undisturbed run ended with {code}")
        self.points = int(counted.read_text())
        self.expected = outcome(root)
        self._finish_and_compare(base / "again", "a second undisturbed run")

    def crash_at_points(self, count: int) -> None:
        """One kill at each of ``count`` crash points, spread evenly over all of them."""
        chosen = sorted({round(1 + place * (self.points - 1) / max(1, count - 1)) for place in range(count)})
        for point in chosen:
            root = self.base / f"point-{point}"
            if _wait(self._fork(root, self._go_on, limit=point)) != -signal.SIGKILL:
                raise Failed(f"crash point {point} was not reached")
            self._finish_and_compare(root, f"crash point {point} of {self.points}")
        print(f"{len(chosen)} of {len(chosen)} crash points: equal to the undisturbed run", flush=True)

    def kill_at_random(self, count: int, chance: random.Random) -> None:
        """``count`` SIGKILLs at uniformly random moments, some of them on a run that is being resumed."""
        kills = runs = missed = 0
        while kills < count:
            root = self.base / f"random-{runs}"
            runs += 1
            while kills < count:
                child = self._fork(root, self._go_on)
                time.sleep(chance.uniform(0, self.seconds))
                os.kill(child, signal.SIGKILL)
                if _wait(child) == 0:
                    missed += 1
                    break
                kills += 1
                if chance.random() < 0.5:
                    break
            self._finish_and_compare(root, f"random run {runs} after {kills} kills")
        print(f"{kills} kills in {runs} runs ({missed} came too late): all equal to the undisturbed run", flush=True)

    def stop_with_signals(self) -> None:
        """SIGINT and SIGTERM in a step and in validation: saved there, the right code, and resumed to the same end."""
        for number in (signal.SIGINT, signal.SIGTERM):
            for place, step in (("_train_step", 4), ("_train_step", STEPS - 1), ("_close_epoch", 5), ("_close_epoch", STEPS)):
                with _signalling(place, step, number, times=1):
                    self._stopped(f"{number.name} in {place} {step}", 128 + number, saved=step + (place == "_train_step"))
        with _signalling("_train_step", 4, signal.SIGINT, times=2):
            self._stopped("SIGINT twice", 130, saved=3)
        print("9 of 9 signals: right exit code, saved at the right step, resumed to the same end", flush=True)

    def _stopped(self, what: str, code: int, *, saved: int) -> None:
        root = self.base / what.replace(" ", "-")
        found = _wait(self._fork(root, lambda: dl(["train", "mnist", "--quiet", *OVERRIDES])))
        last = checkpoint_names(next(list_runs(root)).path)[-1]
        if (found, last) != (code, f"step-{saved:08d}"):
            raise Failed(f"{what}: exit code {found} and {last}; expected {code} and step {saved}")
        again = _wait(self._fork(root, lambda: dl(["train", "--resume", "--quiet"]), disturbed=False))
        if again != 0:
            raise Failed(f"{what}: the resumed run ended with {again}")
        self._compare(root, what)

    def _finish_and_compare(self, root: Path, what: str) -> None:
        code = _wait(self._fork(root, self._go_on))
        if code != 0:
            raise Failed(f"{what}: the resumed run ended with {code}")
        self._compare(root, what)

    def _compare(self, root: Path, what: str) -> None:
        found = outcome(root)
        wrong = [name for name in self.expected if found.get(name) != self.expected[name]]
        if wrong:
            raise Failed(
                f"{what}: {', '.join(wrong)} differ: {found.get(wrong[0])} instead of {self.expected[wrong[0]]}; see {root}"
            )
        shutil.rmtree(root)

    def _go_on(self) -> None:
        """Starts the run, or continues the unfinished one; nothing where it was killed after its very end."""
        states = {run.state for run in list_runs()}
        if not states:
            train(self.settings, QUIET)
        elif states != {"finished"}:
            resume("train", None, [], QUIET)

    def _fork(
        self, root: Path, action: Callable[[], object], *, limit: int = 0, counted: Path | None = None, disturbed: bool = True
    ) -> int:
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            os.environ["DL_RUNS"] = str(root)
            if not disturbed:
                _DISTURBANCE.clear()
            with crash_points(limit) as counter:
                action()
            if counted is not None:
                counted.write_text(str(counter[0]))
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException as error:  # noqa: BLE001 - a child must never run its parent's code
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(code)


def outcome(root: Path) -> dict[str, Any]:
    """Returns everything about the one run below ``root`` that must not depend on how often it was killed."""
    runs = list(list_runs(root))
    if len(runs) != 1 or runs[0].state != "finished":
        return {"runs": [run.state for run in runs]}
    run: RunInfo = runs[0]
    assert run.result is not None
    last = run.path / "checkpoints" / checkpoint_names(run.path)[-1]
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    return {
        "runs": ["finished"],
        "tensors": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(last.glob("*.safetensors"))},
        "last": last.name,
        "kept": checkpoint_names(run.path),
        "index": json.loads((run.path / "checkpoints" / "index.json").read_text()),
        "metrics": [{name: value for name, value in line.items() if name != "time"} for line in lines],
        "result": run.result.metrics,
        "leftovers": [str(path.relative_to(root)) for path in root.rglob(".tmp-*")],
    }


@contextlib.contextmanager
def crash_points(limit: int) -> Iterator[list[int]]:
    """Counts the calls that change the disk; SIGKILLs this process before call number ``limit``, if that is not 0."""
    counter = [0]

    def tick() -> None:
        counter[0] += 1
        if counter[0] == limit:
            os.kill(os.getpid(), signal.SIGKILL)

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            tick()
            return function(*arguments, **options)

        return wrapper

    def open_torn(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = _OPEN(path, mode, *arguments, **options)
        return _Torn(file, tick) if mode == "wb" else file

    names = ("mkdir", "fsync", "rename", "replace", "truncate", "unlink", "rmdir")
    saved = {name: getattr(os, name) for name in names}
    try:
        for name in names:
            setattr(os, name, counting(saved[name]))
        Path.open = open_torn  # type: ignore[method-assign,assignment]
        yield counter
    finally:
        Path.open = _OPEN  # type: ignore[method-assign]
        for name, function in saved.items():
            setattr(os, name, function)


_OPEN = Path.open


class _Torn:
    """A file whose writes reach the disk in two halves, with a crash point before each."""

    def __init__(self, file: Any, tick: Callable[[], None]) -> None:
        self._file, self._tick = file, tick

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _Torn:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        half = len(data) // 2
        for part in (data[:half], data[half:]):
            self._tick()
            self._file.write(part)
            self._file.flush()
        return len(data)


_DISTURBANCE: dict[str, Any] = {}


@contextlib.contextmanager
def _signalling(place: str, step: int, number: signal.Signals, *, times: int) -> Iterator[None]:
    """Sends a child a signal when it enters ``place`` of the engine at ``step``, unless it is one that nobody disturbs."""
    function = getattr(engine, place)
    _DISTURBANCE["on"] = True

    def wrapper(parts: Any, plan: Any, progress: Any, *arguments: Any) -> Any:
        if progress.step == step and _DISTURBANCE:
            for _ in range(times):
                os.kill(os.getpid(), number)
        return function(parts, plan, progress, *arguments)

    setattr(engine, place, wrapper)
    try:
        yield
    finally:
        setattr(engine, place, function)
        _DISTURBANCE.clear()


def _warm_up() -> None:
    """Imports and loads what a run loads late, so that children are born with it."""
    import sklearn.datasets

    from dlcli.report.plots import training_curves

    sklearn.datasets.load_digits()
    line = {"step": 1, "epoch": 0, "name": "loss", "value": 1.0}
    training_curves([{**line, "split": split} for split in ("train", "val")])


def _wait(child: int) -> int:
    """The child's exit code; minus the signal's number where one killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
