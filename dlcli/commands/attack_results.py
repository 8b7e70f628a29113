"""What a robustness report says in figures: metrics, tables for people, and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from dlcli.commands.attack_chain import CURVE, NOISE, Examined, Link
from dlcli.commands.attack_estimate import duration
from dlcli.contracts import Metric
from dlcli.engine.outcomes import Clean, Outcomes
from dlcli.metrics.intervals import wilson
from dlcli.metrics.robustness import curve, fooling_distances, robust_accuracy, standing, survival
from dlcli.report.numbers import count
from dlcli.report.page import Table
from dlcli.report.terminal import interval


def metrics_of(examined: Examined, links: Sequence[Link], *, radii: Sequence[float], classes: int) -> dict[str, Metric]:
    """Returns the figures of ``result.json``.

    ``attack/robust_accuracy`` is of the worst case of each example, ``attack/robust_accuracy/NAME`` of an attack alone that was
    tried on all, and ``attack/survival_rate/NAME`` the share that stood after an attack among those that stood before it.
    """
    right, standing = examined.right, examined.standing()
    total = int(examined.is_examined.sum())
    noise = examined.found.get(NOISE)
    metrics = {
        "attack/robust_accuracy": robust_accuracy(examined.distances(), examined.epsilon),
        "attack/clean_accuracy": wilson(int(right.sum()), total),
    }
    if noise is not None:
        unmoved = noise.predicted == examined.clean.targets[noise.rows]
        metrics["attack/noise_accuracy"] = wilson(int(unmoved.sum()), len(noise.rows))
    if right.any():
        metrics["attack/success_rate"] = wilson(int((right & ~standing).sum()), int(right.sum()))
    for link in links:
        if link.name in examined.found and link.name not in {NOISE, CURVE}:
            metrics |= _own_figure(examined, link)
    if radii:
        metrics |= {f"attack/curve/{radius:.4g}/robust_accuracy": metric for radius, metric in curve_of(examined, radii).items()}
    for number in range(classes):
        own = (examined.clean.targets == number) & examined.is_examined
        metrics[f"attack/robust_recall/{number}"] = wilson(int((own & standing).sum()), int(own.sum()))
    for name, found in examined.found.items():
        costs = {
            "forwards": found.forwards,
            "backwards": found.backwards,
            "queries": queries(name, found),
            "seconds": found.seconds,
        }
        metrics |= {f"attack/cost/{name}/{what}": Metric(float(value), n=len(found.rows)) for what, value in costs.items()}
    return metrics


def curve_of(examined: Examined, radii: Sequence[float]) -> dict[float, Metric]:
    """Returns robust accuracy at 0 and at each radius, by everything that any attack found."""
    return curve(examined.distances(), [0.0, *radii])


def queries(name: str, found: Outcomes) -> int:
    """Returns how often an attack that takes no gradient asked the model; 0 for the others."""
    return 0 if found.backwards or name == NOISE else found.forwards


def attack_table(examined: Examined, links: Sequence[Link], *, caption: str) -> Table:
    """Returns a row for each attack: on which examples it was tried, what stood, the worst case so far, and the cost."""
    rows = []
    names = list(examined.found)
    for link in links:
        found = examined.found.get(link.name)
        if found is None:
            continue
        following = names[names.index(link.name) + 1 :]
        after = robust_accuracy(examined.distances(before=following[0] if following else None), examined.epsilon)
        own = _own_words(examined, link)
        cost = (count(found.forwards), count(found.backwards), count(asked) if (asked := queries(link.name, found)) else "–")
        rows.append((link.words, *own, interval(after), *cost, duration(found.seconds)))
    header = ("attack", "tried on", "its own accuracy", "still standing after it", "worst case so far")
    return Table(caption, (*header, "forwards", "backwards", "queries", "time"), tuple(rows), words=frozenset({0, 1}))


def class_table(examined: Examined, classes: Sequence[str]) -> Table:
    """Returns clean and robust recall of each class, and what it is mostly taken for under attack."""
    rows = []
    standing, taken = examined.standing(), examined.attacked_classes()
    for number, name in enumerate(classes):
        own = (examined.clean.targets == number) & examined.is_examined
        clean = wilson(int((own & examined.clean.right).sum()), int(own.sum()))
        robust = wilson(int((own & standing).sum()), int(own.sum()))
        wrong = torch.bincount(taken[own & (taken != number)], minlength=len(classes))
        mostly = f"{classes[int(wrong.argmax())]} ({int(wrong.max())})" if int(wrong.sum()) else "–"
        rows.append((name, interval(clean), interval(robust), mostly, count(int(own.sum()))))
    header = ("class", "clean recall", "robust recall", "mostly taken for", "n")
    return Table("Each class without an attack and in the worst case", header, tuple(rows), words=frozenset({0, 3}))


def curve_csv(curves: Mapping[str, Mapping[float, Metric]]) -> bytes:
    """Returns the curves as CSV."""
    rows = [
        (name, f"{radius:.6g}", metric.value, metric.low, metric.high, metric.n)
        for name, points in curves.items()
        for radius, metric in points.items()
    ]
    return csv_of(("curve", "radius", "accuracy", "low", "high", "n"), rows)


def fooled(found: Outcomes, clean: Clean, epsilon: float) -> int:
    """Returns how many examples an attack broke that were right without it; an error beyond ``epsilon`` breaks nothing."""
    column = fooling_distances(clean.right, found.rows, found.predicted, clean.targets, found.distances)
    return int((clean.right & ~standing(column, epsilon))[found.rows].sum())


def attack_csv(examined: Examined, links: Sequence[Link]) -> bytes:
    """Returns a line for each attack as CSV."""
    rows = []
    for link in links:
        found = examined.found.get(link.name)
        if found is not None:
            broke = fooled(found, examined.clean, examined.epsilon)
            on = "all" if link.on_all else "standing"
            cost = (found.forwards, found.backwards, queries(link.name, found), f"{found.seconds:.3f}")
            rows.append((link.name, repr(link.attack), on, len(found.rows), broke, *cost))
    return csv_of(("attack", "settings", "tried_on", "examples", "fooled", "forwards", "backwards", "queries", "seconds"), rows)


def outcomes_csv(examined: Examined, classes: Sequence[str]) -> bytes:
    """Returns a line for each examined example as CSV: its classes, the smallest change found, and whether it stands."""
    distances, standing, taken = examined.distances(), examined.standing(), examined.attacked_classes()
    rows = [
        (
            row,
            classes[int(examined.clean.targets[row])],
            classes[int(examined.clean.predicted[row])],
            classes[int(taken[row])],
            f"{float(distances[row]):.6g}",
            examined.nearest(row) or "",
            int(standing[row]),
        )
        for row in examined.is_examined.nonzero().flatten().tolist()
    ]
    return csv_of(("example", "target", "clean", "attacked", "smallest_change", "by", "stands"), rows)


def csv_of(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Returns a CSV file; foreign text is made harmless for spreadsheets."""
    from dlcli.report.text import cell

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[cell(value) if isinstance(value, str) else value for value in row] for row in rows])
    return text.getvalue().encode()


def _own_figure(examined: Examined, link: Link) -> dict[str, Metric]:
    column = examined.column(link.name)
    if link.on_all:
        return {f"attack/robust_accuracy/{link.name}": robust_accuracy(column, examined.epsilon)}
    before = examined.standing(before=link.name)
    if not before.any():
        return {}
    return {f"attack/survival_rate/{link.name}": survival(before, column, examined.epsilon)}


def _own_words(examined: Examined, link: Link) -> tuple[str, str, str]:
    """On which examples, the attack's own accuracy, and the share of those that stood before it."""
    column, tried = examined.column(link.name), len(examined.found[link.name].rows)
    if link.name == NOISE:
        found = examined.found[NOISE]
        own = wilson(int((found.predicted == examined.clean.targets[found.rows]).sum()), tried)
        return f"all {count(tried)}", interval(own), "–"
    if link.on_all:
        return f"all {count(tried)} right ones", interval(robust_accuracy(column, examined.epsilon)), "–"
    if not tried:
        return "nobody: none stood", "–", "–"
    stood = survival(examined.standing(before=link.name), column, examined.epsilon)
    return f"the {count(tried)} that still stood", "–", interval(stood)
