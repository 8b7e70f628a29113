"""A comparison in words: no surer than its intervals."""

from __future__ import annotations

from rich.console import Console

from dlcli.commands.curve_record import ARMS, Cell, Outcome, name_of
from dlcli.commands.curve_words import points, table, told, verdict
from dlcli.contracts import Metric

CLEAR, WORSE, UNSURE = Metric(0.341, 0.302, 0.38), Metric(-0.02, -0.03, -0.01), Metric(0.003, -0.005, 0.011)


def gains(*over_scratch: Metric, over_probe: tuple[Metric, ...] | None = None) -> dict[str, Metric]:
    counts = [10 * 3**place for place in range(len(over_scratch))]
    found = {name_of("gain", count): gain for count, gain in zip(counts, over_scratch, strict=True)}
    pairs = zip(counts, over_probe or over_scratch, strict=True)
    return found | {name_of("gain_over_probe", count): gain for count, gain in pairs}


def test_what_is_clear_and_what_is_not_stand_apart_with_their_numbers() -> None:
    said = verdict(gains(CLEAR, UNSURE, over_probe=(UNSURE, UNSURE)), [10, 30], seeds=5, tested=2000)
    assert said == (
        "finetuned beats training from scratch at 10 labels per class (+34.1 [+30.2, +38.0] points), is not distinguishable from "
        "it at 30 (+0.3 [-0.5, +1.1] points); it is not distinguishable from a linear probe at 10 and 30 (+0.3 [-0.5, +1.1] and "
        "+0.3 [-0.5, +1.1] points); 5 seeds, 2 000 test examples"
    )


def test_a_loss_is_called_one() -> None:
    said = verdict(gains(WORSE, over_probe=(CLEAR,)), [10], seeds=5, tested=60)
    assert said.startswith("finetuned loses to training from scratch at 10 labels per class (-2.0 [-3.0, -1.0] points); ")
    assert "it beats a linear probe at 10 (+34.1 [+30.2, +38.0] points)" in said


def test_three_counts_are_a_list() -> None:
    assert "beats training from scratch at 10, 30 and 90 labels per class" in verdict(
        gains(CLEAR, CLEAR, CLEAR), [10, 30, 90], seeds=5, tested=60
    )


def test_an_interval_that_touches_zero_is_not_clear() -> None:
    assert "is not distinguishable from training" in verdict(gains(Metric(0.1, 0.0, 0.2)), [10], seeds=2, tested=60)


def test_a_difference_without_bounds_is_not_clear() -> None:
    assert points(Metric(0.1)) == "+10.0"
    assert "is not distinguishable from training" in verdict(gains(Metric(0.1)), [10], seeds=2, tested=60)


def test_the_table_has_a_row_for_each_count_and_cuts_bounds_at_what_a_share_can_be() -> None:
    outcomes = {
        Cell(labels=10, seed=seed, arm=arm): Outcome(accuracy=0.9, seconds=seed + place)
        for seed in (0, 1)
        for place, arm in enumerate(ARMS)
    }
    metrics = {name_of(arm, 10): Metric(0.9, 0.75, 1.05) for arm in ARMS} | gains(CLEAR)
    console = Console(width=160, record=True)
    with console.capture() as captured:
        console.print(table(metrics, outcomes, [10], seeds=2))
    (row,) = [line for line in captured.get().splitlines() if line.strip().startswith("10 ")]
    assert row.count("90.0 [75.0, 100.0]") == 3
    assert "+34.1 [+30.2, +38.0]" in row
    assert "0.5 / 1.5 / 2.5" in row


def test_one_choice_of_labels_is_one_line() -> None:
    found = {Cell(labels=10, seed=3, arm="finetuned"): Outcome(accuracy=0.5, seconds=2.04)}
    assert told(10, 3, found) == "10 labels per class, seed 3: finetuned 50.00 % (2.0 s)"
