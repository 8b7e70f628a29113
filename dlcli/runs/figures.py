"""What the names of figures in ``result.json`` mean: which one speaks for a run, which way is better, which are shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# The first of these that a run has speaks for it.
MAIN = ("test/accuracy", "cv/accuracy", "val/accuracy", "train/accuracy", "attack/robust_accuracy", "explain/accuracy")
_LOWER = {"loss", "nll", "brier", "ece", "error", "gap", "difference", "empty", "backwards", "forwards"}
_SHARES = ("accuracy", "precision", "recall", "f1", "selected", "rate", "share", "empty_maps")


def main_name(names: Iterable[str]) -> str | None:
    """Returns the figure that speaks for a run with these; None where it has none of the known ones."""
    own = set(names)
    return next((name for name in MAIN if name in own), None)


def lower_is_better(name: str) -> bool:
    """Returns whether less of ``name`` is better: losses, calibration errors, gaps and costs."""
    words = set(name.replace("/", "_").split("_"))
    return bool(words & _LOWER) or {"success", "rate"} <= words


def is_whole(name: str) -> bool:
    """Returns whether ``name`` is about the whole split, not about one class: ``test/recall/3`` is not."""
    return not name.rpartition("/")[2].isdecimal()


def shown(name: str, value: Any, *, signed: bool = False) -> str:
    """Returns a figure's value for people: shares in percent, other numbers with four decimals; "–" without one.

    Args:
        signed: it is a difference of two; of shares it is in points.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–"
    sign = "+" if signed else ""
    if any(part.endswith(_SHARES) for part in name.split("/")):
        return f"{100 * value:{sign}.2f} {'points' if signed else '%'}"
    return f"{value:{sign}.4f}"


def shown_interval(name: str, entry: Mapping[str, Any], *, signed: bool = False) -> str:
    """Returns a figure with its interval: ``99.46 % [99.30, 99.59]``."""
    low, high = (shown(name, entry.get(bound), signed=signed).partition(" ")[0] for bound in ("low", "high"))
    bounds = "" if "–" in {low, high} else f" [{low}, {high}]"
    return shown(name, entry.get("value"), signed=signed) + bounds
