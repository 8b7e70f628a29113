"""Predictions for people: a table on standard output, with the threshold drawn in, and how chances fared on validation data."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from dlcli.commands.predictions import Predicted, Prediction
from dlcli.report.text import safe, shorten

_LONGEST_LABEL, _LONGEST_FILE = 24, 40


def print_answers(predicted: Predicted, *, limit: int | None) -> None:
    """Prints the answers on standard output: the first ``limit`` of them, or all, and a line that counts the rest."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, emoji=False, width=240)
    console.print(table_of(predicted, limit=limit))
    counts = Counter(item.label for item in predicted.read)
    if len(predicted.read) > 1:
        shares = ", ".join(f"{safe(str(label))} {count}" for label, count in counts.most_common(5))
        more = f", and {len(counts) - 5} other classes" if len(counts) > 5 else ""
        line = f"{len(predicted.read)} predicted: {shares}{more}"
        if predicted.threshold is not None:
            line += f" (threshold {predicted.threshold[0]}: p >= {predicted.threshold[1]:.3g})"
        console.print(line)
    if limit is not None and len(predicted.read) > limit:
        console.print(f"{len(predicted.read) - limit} more: --all shows them, --csv FILE keeps them")


def table_of(predicted: Predicted, *, limit: int | None) -> RenderableType:
    """Returns the first ``limit`` predictions, or all, as a table; rows of two classes by falling risk, with the threshold."""
    items = predicted.read[:limit]
    rows = any(item.line is not None for item in predicted.items)
    ranked = rows and predicted.threshold is not None
    named = not rows or len({item.file for item in predicted.items}) > 1
    places = ["line", predicted.key_name] if predicted.key_name else ["line"]
    names = [*(["rank"] if ranked else []), *(["file"] if named else []), *(places if rows else [])]
    answer = [f"p({predicted.classes[1]})", ""] if ranked else ["predicted", "else"]
    table = Table(box=None, pad_edge=False)
    fared = {id(item): observed_in_words(predicted, item) for item in items}
    last = ["on validation"] if any(fared.values()) else []
    for name in (*names, *answer, *last):
        table.add_column(Text(shorten(name, _LONGEST_LABEL)), justify="right" if name in {"rank", "line"} else "left")
    for below, group in groupby(items, lambda item: ranked and _is_below(predicted, item)):
        if below and predicted.threshold is not None:
            line = f"── below the threshold {predicted.threshold[1]:.3g}: {shorten(predicted.classes[0], _LONGEST_LABEL)} ──"
            table.add_row(*[""] * len(names), Text(line, style="dim"))
        for item in group:
            cells = _cells(predicted, item, names, ranked=ranked)
            table.add_row(*map(Text, [*cells, fared[id(item)]] if last else cells))
            if item.note:
                table.add_row(*[""] * len(names), Text(safe(item.note), style="yellow"))
    return table


def _is_below(predicted: Predicted, item: Prediction) -> bool:
    return predicted.threshold is not None and item.risk is not None and item.risk < predicted.threshold[1]


def _cells(predicted: Predicted, item: Prediction, names: list[str], *, ranked: bool) -> list[str]:
    """An item's row: where it is, and what is predicted."""
    file = safe(item.file)
    known = {"rank": str(item.rank), "line": str(item.line)}
    known["file"] = file if len(file) <= _LONGEST_FILE else "…" + file[1 - _LONGEST_FILE :]
    # The key comes last, and its column may be called as one of ours.
    where = [known[name] for name in (names[:-1] if predicted.key_name else names)]
    where += [safe(str(item.key))] if predicted.key_name else []
    label = shorten(str(item.label), _LONGEST_LABEL)
    if ranked:
        return [*where, percent(item.risk), label]
    others = [(name, chance) for name, chance in item.chances if name != item.label]
    rest = "  ".join(f"{shorten(name, _LONGEST_LABEL)} {percent(chance)}" for name, chance in others)
    return [*where, f"{label} {percent(item.chance)}", rest]


def observed_in_words(predicted: Predicted, item: Prediction) -> str:
    """Returns ``"of 48 similar validation examples 41 were right (72–93 %)"``; empty where none are known."""
    observed = item.observed
    if observed is None or not observed.n or observed.low is None or observed.high is None:
        return ""
    hits = round(observed.value * observed.n)
    what = f"were {safe(predicted.classes[1])}" if len(predicted.classes) == 2 else "were right"
    bounds = f"{100 * observed.low:.0f}–{100 * observed.high:.0f} %"
    return f"of {observed.n} similar validation examples {hits} {what} ({bounds})"


def percent(chance: float | None) -> str:
    """Returns a probability as ``97.3 %``; what rounds to certainty is ``> 99.9 %``, to nothing ``< 0.1 %``."""
    if chance is None:
        return ""
    if chance > 0.9995:
        return "> 99.9 %"
    return f"{100 * chance:.1f} %" if chance >= 0.0005 else "< 0.1 %"
