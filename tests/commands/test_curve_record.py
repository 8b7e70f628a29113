"""The fits of a comparison in ``metrics.jsonl``, and the figures that they come to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlcli.commands.curve_record import (
    ARMS,
    Cell,
    Outcome,
    figures,
    log_outcome,
    logged_outcomes,
    mean_seconds,
    name_of,
)
from dlcli.errors import DataError
from dlcli.runs.run import Run

PROBE = Cell(labels=10, seed=0, arm="linear_probe")
TUNED = Cell(labels=10, seed=1, arm="finetuned")


@pytest.fixture
def run() -> Iterator[Run]:
    made = Run.create(verb="finetune", name="some", config=b"", information={"parent": None})
    yield made
    made.fail(RuntimeError("the test is over"))  # closes its files


def outcomes(**shares: list[float]) -> dict[Cell, Outcome]:
    return {
        Cell(labels=10, seed=seed, arm=arm): Outcome(accuracy=share, seconds=1.0 + seed)
        for arm, values in shares.items()
        for seed, share in enumerate(values)
    }


def test_fits_are_read_back_as_they_were_written(run: Run) -> None:
    written = {PROBE: Outcome(accuracy=0.5, seconds=0.25), TUNED: Outcome(accuracy=2 / 3, seconds=61.0)}
    for cell, outcome in written.items():
        log_outcome(run, cell, outcome)
    assert logged_outcomes(run) == written


def test_a_line_has_the_keys_of_every_metric_and_its_clock_under_time(run: Run) -> None:
    log_outcome(run, TUNED, Outcome(accuracy=0.5, seconds=2.0))
    (line,) = map(json.loads, (run.path / "metrics.jsonl").read_text().splitlines())
    assert line.pop("time")["seconds"] == 2.0
    assert line == {"step": 10, "epoch": 1, "split": "compare", "name": "finetuned/accuracy", "value": 0.5}


def test_a_fit_is_on_disk_at_once(run: Run) -> None:
    log_outcome(run, PROBE, Outcome(accuracy=0.5, seconds=0.25))
    assert (run.path / "metrics.jsonl").read_bytes().endswith(b"\n")


def test_a_line_that_was_cut_off_is_removed_and_its_fit_is_missing(run: Run) -> None:
    log_outcome(run, PROBE, Outcome(accuracy=0.5, seconds=0.25))
    path = run.path / "metrics.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-9])
    run.fail(RuntimeError("killed"))
    again = Run.reopen(run.path)
    assert list(logged_outcomes(again)) == [PROBE]
    assert path.read_bytes() == whole
    again.fail(RuntimeError("the test is over"))


def test_a_run_without_a_fit_has_none(run: Run) -> None:
    assert logged_outcomes(run) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "nothing/accuracy"},
        {"name": "finetuned/loss"},
        {"name": 3},
        {"split": "test"},
        {"value": None},
        {"value": 1.5},
        {"time": 3.0},
        {"time": {"seconds": -1}},
        {"step": "many"},
    ],
)
def test_a_line_that_is_no_fit_is_refused_with_its_number(run: Run, changes: dict[str, object]) -> None:
    log_outcome(run, PROBE, Outcome(accuracy=0.5, seconds=0.25))
    path: Path = run.path / "metrics.jsonl"
    line = json.loads(path.read_text())
    path.write_text(path.read_text() + json.dumps({**line, **changes}) + "\n")
    with pytest.raises(DataError, match="line 2, is no fit of a comparison"):
        logged_outcomes(run)


def test_means_have_students_interval_over_the_seeds() -> None:
    found = figures(outcomes(linear_probe=[0.5, 0.5], finetuned=[0.8, 0.6], from_scratch=[0.1, 0.3]), [10], range(2))
    mean = found[name_of("finetuned", 10)]
    # Two values: half the width is t(1) times half their distance.
    assert (mean.value, mean.low, mean.high) == pytest.approx((0.7, 0.7 - 12.706205 * 0.1, 0.7 + 12.706205 * 0.1))
    assert (mean.n, mean.method) == (2, "t")


def test_gains_are_paired_by_seed() -> None:
    # Both rise by 0.2 from one seed to the next; what one arm has over the other does not change.
    found = figures(outcomes(linear_probe=[0.4, 0.6], finetuned=[0.5, 0.7], from_scratch=[0.1, 0.3]), [10], range(2))
    gain, over_probe = found[name_of("gain", 10)], found[name_of("gain_over_probe", 10)]
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.4, 0.4, 0.4))
    assert (over_probe.value, over_probe.low, over_probe.high) == pytest.approx((0.1, 0.1, 0.1))


def test_every_arm_and_both_gains_are_named_by_their_count() -> None:
    found = figures(outcomes(**{arm: [0.5, 0.5] for arm in ARMS}), [10], range(2))
    assert list(found) == [
        "compare/linear_probe/10/accuracy",
        "compare/finetuned/10/accuracy",
        "compare/from_scratch/10/accuracy",
        "compare/gain/10/accuracy",
        "compare/gain_over_probe/10/accuracy",
    ]


def test_seconds_are_the_mean_over_seeds() -> None:
    assert mean_seconds(outcomes(finetuned=[0.1, 0.2, 0.3]), "finetuned", 10) == pytest.approx(2.0)
