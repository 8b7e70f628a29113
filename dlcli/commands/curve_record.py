"""What a comparison over label counts measures, cell by cell: as it lies in ``metrics.jsonl``, and what it comes to."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.contracts import Metric
from dlcli.errors import DataError
from dlcli.metrics.intervals import mean_interval
from dlcli.runs.run import Run

# The arms in the order in which they are trained, and what people call them.
ARMS: Mapping[str, str] = {"linear_probe": "linear probe", "finetuned": "finetuned", "from_scratch": "from scratch"}
SPLIT = "compare"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One fit of a comparison.

    Args:
        labels: of each class, in train and val together.
        seed: of the choice of labels, the head, the order and the augmentation.
        arm: one of ``ARMS``.
    """

    labels: int
    seed: int
    arm: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a fit came to: accuracy on test in [0, 1], and the seconds that training and testing took."""

    accuracy: float
    seconds: float


Outcomes = Mapping[Cell, Outcome]


def log_outcome(run: Run, cell: Cell, outcome: Outcome) -> None:
    """Appends a fit to ``metrics.jsonl`` and makes sure that it is on disk: a killed comparison goes on behind it."""
    line = {"step": cell.labels, "epoch": cell.seed, "split": SPLIT, "name": f"{cell.arm}/accuracy", "value": outcome.accuracy}
    run.log({**line, "time": {"end": round(time.time(), 3), "seconds": round(outcome.seconds, 3)}})
    run.metrics_size()


def logged_outcomes(run: Run) -> dict[Cell, Outcome]:
    """Returns the fits that a run has finished; a last line that was cut off is removed from the file. Raises DataError."""
    path = run.path / "metrics.jsonl"
    data = path.read_bytes() if path.is_file() else b""
    lines = [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]
    run.rewind_metrics(sum(map(len, lines)))
    found = {}
    for number, line in enumerate(lines, start=1):
        try:
            cell, outcome = _read(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"{path}, line {number}, is no fit of a comparison: {error}", hint="start it again") from error
        found[cell] = outcome
    return found


def figures(outcomes: Outcomes, counts: Sequence[int], seeds: Sequence[int]) -> dict[str, Metric]:
    """Returns ``compare/ARM/COUNT/accuracy``, the mean over seeds, and two differences, each with Student's t interval.

    ``compare/gain/COUNT/accuracy`` is finetuned less from scratch and ``compare/gain_over_probe/COUNT/accuracy`` finetuned less
    linear probe, both paired: arms of the same seed have the same labels, and all are tested on the same examples.
    """
    metrics: dict[str, Metric] = {}
    for count in counts:
        own = {arm: [outcomes[Cell(labels=count, seed=seed, arm=arm)].accuracy for seed in seeds] for arm in ARMS}
        metrics |= {name_of(arm, count): mean_interval(values) for arm, values in own.items()}
        for name, other in (("gain", "from_scratch"), ("gain_over_probe", "linear_probe")):
            pairs = zip(own["finetuned"], own[other], strict=True)
            metrics[name_of(name, count)] = mean_interval([one - another for one, another in pairs])
    return metrics


def name_of(what: str, count: int) -> str:
    """Returns the name of an arm's or a difference's figure in ``result.json``."""
    return f"{SPLIT}/{what}/{count}/accuracy"


def mean_seconds(outcomes: Outcomes, arm: str, count: int) -> float:
    """Returns how long a fit of an arm took, on average over the seeds."""
    own = [outcome.seconds for cell, outcome in outcomes.items() if (cell.arm, cell.labels) == (arm, count)]
    return sum(own) / len(own)


def _read(line: Mapping[str, Any]) -> tuple[Cell, Outcome]:
    arm, _, name = line["name"].partition("/")
    accuracy, seconds = float(line["value"]), float(line["time"]["seconds"])
    if line["split"] != SPLIT or arm not in ARMS or name != "accuracy":
        raise ValueError(f"{line['split']} {line['name']}")
    if not (0 <= accuracy <= 1 and 0 <= seconds < math.inf):
        raise ValueError(f"an accuracy of {accuracy} after {seconds} s")
    return Cell(labels=int(line["step"]), seed=int(line["epoch"]), arm=arm), Outcome(accuracy=accuracy, seconds=seconds)
