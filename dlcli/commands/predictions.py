"""What ``dl predict`` answers: one prediction per image or row, as plain data, as CSV, and as a table for people."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor

from dlcli.classifier import probabilities
from dlcli.contracts import Metric
from dlcli.metrics.calibrated import Calibration
from dlcli.report.text import cell, safe

_LAST = ("observed", "observed_low", "observed_high", "observed_n", "note", "error")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a model says about one image or row.

    Args:
        file: as it was named.
        line: of the file, for rows.
        key: the value of the column that identifies a row, or None.
        label, chance: the predicted class and its probability; None where the file could not be read.
        chances: the likeliest classes with their probabilities, best first.
        risk: of two classes, the probability of the second; else None.
        rank: 1 for the highest risk; None without a risk.
        observed: how often validation examples of similar chances were the second class (two classes) or right (more).
        note: what people should know about this one.
        error: why a file could not be read; then there is no label.
    """

    file: str
    line: int | None = None
    key: str | None = None
    label: str | None = None
    chance: float | None = None
    chances: tuple[tuple[str, float], ...] = ()
    risk: float | None = None
    rank: int | None = None
    observed: Metric | None = None
    note: str = ""
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """All predictions of one call.

    Args:
        items: in the order of the files and rows.
        classes: all class names.
        calibrated: whether the probabilities are fitted to validation data.
        threshold: of two classes, its name and p(second class) from which on the second is predicted; else None.
        key_name: what ``key`` is, empty without one.
    """

    items: tuple[Prediction, ...]
    classes: tuple[str, ...]
    calibrated: bool
    threshold: tuple[str, float] | None = None
    key_name: str = ""

    @property
    def read(self) -> list[Prediction]:
        """The items that have a label, those of the highest risk first."""
        done = [item for item in self.items if item.label is not None]
        return sorted(done, key=lambda item: item.rank or 0)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Returns the items as plain data for JSON."""
        return [self._plain(item) for item in self.items]

    def _plain(self, item: Prediction) -> dict[str, Any]:
        if item.error is not None:
            return {"file": safe(item.file), "error": item.error}
        values: dict[str, Any] = {"file": safe(item.file)}
        if item.line is not None:
            values |= {"line": item.line} | ({"id": {"column": self.key_name, "value": item.key}} if self.key_name else {})
        values |= {"label": item.label, "probability": item.chance, "calibrated": self.calibrated}
        if item.risk is not None and self.threshold is not None:
            values |= {"positive": self.classes[1], "risk": item.risk, "rank": item.rank, "threshold": self.threshold[1]}
        values["top"] = [{"label": label, "probability": chance} for label, chance in item.chances]
        return values | {"observed": item.observed.to_dict() if item.observed else None, "note": item.note or None}

    def to_csv(self) -> bytes:
        """Returns the items as CSV (UTF-8), one line each, in the order of the files and rows."""
        rows = [self._cells(item) for item in self.items]
        longest = max(rows, key=len, default={})
        names = [name for name in dict.fromkeys(name for row in (longest, *rows) for name in row) if name not in _LAST]
        file = io.StringIO()
        writer = csv.DictWriter(file, [*names, *_LAST], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return file.getvalue().encode("utf-8", "backslashreplace")

    def _cells(self, item: Prediction) -> dict[str, Any]:
        """The item by CSV column."""
        cells: dict[str, Any] = {"file": cell(safe(item.file))}
        if item.line is not None:
            cells |= {"line": item.line} | ({self._key_column: cell(item.key or "")} if self.key_name else {})
        cells |= {"label": cell(item.label or ""), "probability": _digits(item.chance)}
        if self.threshold is not None:
            cells |= {"risk": _digits(item.risk), "rank": item.rank or ""}
        else:
            others = [each for each in item.chances if each[0] != item.label]
            for place, (label, chance) in enumerate(others, start=2):
                cells |= {f"label_{place}": cell(label), f"probability_{place}": _digits(chance)}
        observed = item.observed or Metric(math.nan)
        bounds = [_digits(value) for value in (observed.value, observed.low, observed.high)]
        return cells | dict(zip(_LAST, [*bounds, observed.n or "", item.note, item.error or ""], strict=True))

    @property
    def _key_column(self) -> str:
        taken = {"file", "line", "label", "probability", "risk", "rank", *_LAST}
        return "id" if self.key_name in taken or re.fullmatch(r"(label|probability)_\d+", self.key_name) else cell(self.key_name)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """How logits become predictions.

    Args:
        classes: P names.
        calibration: what makes probabilities of logits; None where nothing was fitted: then they are a plain softmax.
        threshold: of two classes, its name and p(second class) from which on the second is predicted; else None.
        top: how many classes to keep.
    """

    classes: tuple[str, ...]
    calibration: Calibration | None
    threshold: tuple[str, float] | None
    top: int

    def to(self, logits: Tensor) -> list[Callable[[str, str], Prediction]]:
        """Returns for each row of logits (N, K) what makes its prediction of a file's name and a note."""
        chances = self.calibration.probabilities(logits) if self.calibration else probabilities(logits.double())
        return [partial(self._one, row) for row in chances.tolist()]

    def _one(self, chances: list[float], file: str, note: str) -> Prediction:
        order = sorted(range(len(chances)), key=lambda place: -chances[place])
        chosen, risk = order[0], None
        if self.threshold is not None:
            risk = chances[1]
            chosen = int(risk >= self.threshold[1])
        kept = order[: self.top] if chosen in order[: self.top] else [chosen, *order[: self.top - 1]]
        observed = self.calibration.observed(chances[chosen] if risk is None else risk) if self.calibration else None
        return Prediction(
            file=file,
            label=self.classes[chosen],
            chance=chances[chosen],
            chances=tuple((self.classes[place], chances[place]) for place in kept),
            risk=risk,
            observed=observed if observed is not None and observed.n else None,
            note=note,
        )

    def predicted(self, items: Sequence[Prediction], *, key_name: str = "") -> Predicted:
        """Returns all predictions as one; of two classes ranked by their risk, 1 for the highest."""
        order = sorted(
            (place for place, item in enumerate(items) if item.risk is not None), key=lambda at: -(items[at].risk or 0)
        )
        ranks = {place: rank for rank, place in enumerate(order, start=1)}
        ranked = tuple(replace(item, rank=ranks.get(place)) for place, item in enumerate(items))
        return Predicted(
            items=ranked,
            classes=self.classes,
            calibrated=self.calibration is not None,
            threshold=self.threshold,
            key_name=key_name,
        )


def _digits(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"
