"""What a comparison over label counts came to, for people: a table, and one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.commands.curve_record import ARMS, Outcomes, mean_seconds, name_of
from dlcli.commands.session import plain_number
from dlcli.contracts import Metric


def verdict(metrics: Mapping[str, Metric], counts: Sequence[int], *, seeds: int, tested: int) -> str:
    """Returns one sentence about finetuned against from scratch and against the linear probe, no surer than the intervals.

    Args:
        metrics: as :func:`~dlcli.commands.curve_record.figures` gives them.
        seeds, tested: how many fits of each kind there were, and on how many examples each was tested.
    """
    scratch = _against(
        "training from scratch", {count: metrics[name_of("gain", count)] for count in counts}, unit=" labels per class"
    )
    probe = _against("a linear probe", {count: metrics[name_of("gain_over_probe", count)] for count in counts})
    return f"finetuned {scratch}; it {probe}; {seeds} seeds, {plain_number(tested)} test examples"


def table(metrics: Mapping[str, Metric], outcomes: Outcomes, counts: Sequence[int], *, seeds: int) -> Any:
    """Returns a row for each count: the mean accuracy of each arm in percent, the gain in points, and the seconds of a fit."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    shown.add_column("labels per class", justify="right")
    for words in (*ARMS.values(), "gain over from scratch", "seconds a fit"):
        shown.add_column(words, justify="right")
    for count in counts:
        means = [metrics[name_of(arm, count)] for arm in ARMS]
        seconds = " / ".join(f"{mean_seconds(outcomes, arm, count):.1f}" for arm in ARMS)
        gain = points(metrics[name_of("gain", count)])
        shown.add_row(str(count), *(_percent(mean) for mean in means), gain, seconds)
    shown.caption_justify = "left"
    shown.caption = f"test accuracy in %, mean of {seeds} seeds [95 % interval]; seconds in the order {', '.join(ARMS.values())}"
    return shown


def told(labels: int, seed: int, outcomes: Outcomes) -> str:
    """Returns one line about the fits on one choice of labels."""
    own = [f"{ARMS[cell.arm]} {100 * outcome.accuracy:.2f} % ({outcome.seconds:.1f} s)" for cell, outcome in outcomes.items()]
    return f"{labels} labels per class, seed {seed}: {', '.join(own)}"


def points(metric: Metric) -> str:
    """Returns a difference of shares in points: ``+34.1 [+30.2, +38.0]``."""
    bounds = "" if metric.low is None or metric.high is None else f" [{100 * metric.low:+.1f}, {100 * metric.high:+.1f}]"
    return f"{100 * metric.value:+.1f}{bounds}"


def _percent(metric: Metric) -> str:
    """A mean share; bounds that few seeds put outside of 0 … 100 % are cut there."""
    if metric.low is None or metric.high is None:
        return f"{100 * metric.value:.1f}"
    return f"{100 * metric.value:.1f} [{100 * max(metric.low, 0.0):.1f}, {100 * min(metric.high, 1.0):.1f}]"


def _against(other: str, gains: Mapping[int, Metric], *, unit: str = "") -> str:
    """``beats OTHER at 10 and 30 labels per class (+34.1 […] and +20.3 […] points), loses to it at 100 (-1.5 […] points)``."""
    groups: dict[str, list[int]] = {"beats": [], "loses to": [], "is not distinguishable from": []}
    for count, gain in gains.items():
        better, worse = gain.low is not None and gain.low > 0, gain.high is not None and gain.high < 0
        groups["beats" if better else "loses to" if worse else "is not distinguishable from"].append(count)
    said: list[str] = []
    for words, counts in groups.items():
        if counts:
            whom, what = (other, unit) if not said else ("it", "")
            said.append(
                f"{words} {whom} at {_listed(counts)}{what} ({_listed([points(gains[count]) for count in counts])} points)"
            )
    return ", ".join(said)


def _listed(things: Sequence[object]) -> str:
    *first, last = map(str, things)
    return f"{', '.join(first)} and {last}" if first else last
