"""The figures of a report say on which examples they rest."""

from __future__ import annotations

import csv
import io

import torch

from dlcli.commands.attack_chain import Effort, Examined
from dlcli.commands.attack_results import (
    attack_csv,
    attack_table,
    class_table,
    csv_of,
    curve_csv,
    curve_of,
    fooled,
    metrics_of,
    outcomes_csv,
    queries,
)
from dlcli.engine.outcomes import Clean, Outcomes
from dlcli.metrics.intervals import wilson

LINKS = Effort(epsilon=0.3, norm="linf", steps=5, targets=9, queries=50, reach=2.0, rungs=6).chain(2)


def outcome(rows: list[int], predicted: list[int], *, size: float = 0.2, backwards: int = 3) -> Outcomes:
    sizes = torch.full((len(rows),), size)
    return Outcomes(
        rows=torch.tensor(rows, dtype=torch.int64),
        predicted=torch.tensor(predicted, dtype=torch.int64),
        distances=sizes,
        forwards=10,
        backwards=backwards,
        seconds=2.0,
    )


def examined() -> Examined:
    """Four examples, of which the last is wrong already; FGSM breaks the first, Square the second; the third stands."""
    clean = Clean(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 0]), "digest")
    found = {
        "noise": outcome([0, 1, 2, 3], [0, 0, 1, 1], backwards=0),
        "fgsm": outcome([0, 1, 2], [1, 0, 1], size=0.3),
        "apgd_t": outcome([1, 2], [0, 1]),
        "square": outcome([1, 2], [1, 1], backwards=0),
    }
    return Examined(clean=clean, epsilon=0.3, examined=torch.arange(4), found=found)


def test_the_worst_case_stands_beside_each_attack_alone():
    metrics = metrics_of(examined(), LINKS, radii=[0.1, 0.25, 0.3], classes=2)
    assert metrics["attack/clean_accuracy"] == wilson(3, 4)
    assert metrics["attack/noise_accuracy"] == wilson(4, 4)
    assert metrics["attack/robust_accuracy"] == wilson(1, 4)
    assert metrics["attack/robust_accuracy/fgsm"] == wilson(2, 4)
    assert metrics["attack/success_rate"] == wilson(2, 3)


def test_an_attack_on_what_still_stood_has_a_survival_rate_and_no_accuracy_of_its_own():
    metrics = metrics_of(examined(), LINKS, radii=[], classes=2)
    assert metrics["attack/survival_rate/apgd_t"] == wilson(2, 2)
    assert metrics["attack/survival_rate/square"] == wilson(1, 2)
    assert "attack/robust_accuracy/square" not in metrics


def test_the_curve_and_the_classes_are_of_the_worst_case():
    metrics = metrics_of(examined(), LINKS, radii=[0.1, 0.25, 0.3], classes=2)
    assert [metrics[f"attack/curve/{radius}/robust_accuracy"].value for radius in ("0", "0.1", "0.25", "0.3")] == [
        0.75, 0.75, 0.5, 0.25,
    ]  # fmt: skip
    assert metrics["attack/robust_recall/0"] == wilson(0, 2)
    assert metrics["attack/robust_recall/1"] == wilson(1, 2)


def test_every_attack_says_what_it_cost():
    metrics = metrics_of(examined(), LINKS, radii=[], classes=2)
    cost = {what: metrics[f"attack/cost/square/{what}"].value for what in ("forwards", "backwards", "queries", "seconds")}
    assert cost == {"forwards": 10, "backwards": 0, "queries": 10, "seconds": 2}
    assert queries("fgsm", examined().found["fgsm"]) == queries("noise", examined().found["noise"]) == 0


def test_the_table_names_the_examples_that_each_attack_met():
    rows = {row[0]: row for row in attack_table(examined(), LINKS, caption="").rows}
    assert rows["FGSM"][1:3] == ("all 3 right ones", "50.00 % [15.00, 85.00]")
    assert rows["Square"][1:4] == ("the 2 that still stood", "–", "50.00 % [9.45, 90.55]")
    assert [row[4].split()[0] for row in rows.values()] == ["75.00", "50.00", "50.00", "25.00"]


def test_where_nobody_stood_the_table_says_so():
    own = examined()
    nobody = Examined(
        clean=own.clean,
        epsilon=0.3,
        examined=own.examined,
        found={"fgsm": outcome([0, 1, 2], [1, 1, 0]), "square": outcome([], [])},
    )
    assert attack_table(nobody, LINKS, caption="").rows[-1][1] == "nobody: none stood"
    assert "attack/survival_rate/square" not in metrics_of(nobody, LINKS, radii=[], classes=2)


def test_a_class_is_mostly_taken_for_what_attacks_made_of_it():
    rows = class_table(examined(), ("cat", "dog")).rows
    assert [row[3] for row in rows] == ["dog (2)", "cat (1)"]


def test_the_files_hold_a_line_for_each_attack_and_example():
    own = examined()
    attacks = list(csv.DictReader(io.StringIO(attack_csv(own, LINKS).decode())))
    assert [(line["attack"], line["examples"], line["fooled"]) for line in attacks] == [
        ("noise", "4", "0"), ("fgsm", "3", "1"), ("apgd_t", "2", "0"), ("square", "2", "1"),
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(outcomes_csv(own, ("cat", "=dog")).decode())))
    assert [line["stands"] for line in rows] == ["0", "0", "1", "0"]
    assert [line["smallest_change"] for line in rows] == ["0.3", "0.2", "inf", "0"]
    assert [line["by"] for line in rows[:3]] == ["fgsm", "square", ""]
    assert rows[2]["target"] == "'=dog"


def test_an_error_beyond_the_radius_fools_nobody():
    own = examined()
    assert fooled(own.found["fgsm"], own.clean, 0.3) == 1
    assert fooled(outcome([0, 1, 2], [1, 1, 0], size=0.4), own.clean, 0.3) == 0
    assert fooled(own.found["noise"], own.clean, 0.3) == 0


def test_a_curve_is_written_with_its_intervals():
    lines = list(csv.DictReader(io.StringIO(curve_csv({"m": curve_of(examined(), [0.3])}).decode())))
    assert [(line["radius"], float(line["accuracy"]), line["n"]) for line in lines] == [("0", 0.75, "4"), ("0.3", 0.25, "4")]
    assert csv_of(("a",), [("=1",)]) == b"a\n'=1\n"
