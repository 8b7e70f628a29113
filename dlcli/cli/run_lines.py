"""How ``dl runs`` looks: lines of parts, each a text or (text, style)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dlcli.report.text import safe, shorten

Part = str | tuple[str, str]
Line = list[Part]
_COLOURS = {"finished": "green", "running": "cyan", "interrupted": "yellow", "failed": "red", "broken": "red"}
_HEADER = ("id", "verb", "name", "state", "result", "seconds", "started")
_MOST_TRIALS = 40


def list_lines(items: Sequence[Mapping[str, Any]]) -> list[Line]:
    """A line for each run, below a header."""
    rows = [_HEADER, *(_row(item) for item in items)]
    return _columns(rows, right=[5], styles={3: [_COLOURS.get(item["state"], "") for item in items]})


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    from dlcli.runs.figures import shown_interval

    metric = item["metric"]
    result = f"{metric} {shown_interval(metric, item['value'])}" if metric else shorten(item["problem"] or "", 60)
    seconds = f"{item['seconds']:.1f}" if item["seconds"] is not None else ""
    return (item["id"], item["verb"], _named(item), item["state"], result, seconds, _local_time(item["start"]))


def _named(item: Mapping[str, Any]) -> str:
    """The name, and of what was finetuned also from what: several are called after the same data."""
    parent = str(item.get("parent") or "").removeprefix("pretrained:")
    return f"{item['name']} ← {parent}" if item["verb"] == "finetune" and parent else str(item["name"])


def page_lines(item: Mapping[str, Any]) -> list[Line]:
    """A run from its state to the end of its log."""
    when = _local_time(item["start"])
    seconds = f" · {item['seconds']:.1f} s" if item["seconds"] is not None else ""
    title = f"{safe(item['verb'])} {safe(item['name'])} {safe(item['id'])}"
    lines: list[Line] = [
        [(title, "bold"), " · ", (item["state"], _COLOURS[item["state"]]), seconds, f" · {when}" if when else ""]
    ]
    lines += [[f"folder   {safe(item['path'])}"], [f"repeat   {safe(str(item['command']))}"]]
    lines += _lineage(item)
    if item["failure"]:
        lines.append([(f"failure  {safe(str(item['failure'].get('message')))}", "red")])
    lines += _settings(item["settings"])
    lines += _metrics(item["metrics"])
    if item["files"] or item["checkpoints"]:
        files = [(name, file) for name, file in item["files"].items()]
        files += [("checkpoint", f"checkpoints/{name}") for name in item["checkpoints"]]
        lines += [[("files", "bold")], *_columns([("  " + name, file) for name, file in files])]
    lines += _circumstances(item)
    lines += _section("end of the log", [[f"  {line}"] for line in item["log"]])
    return lines


def _lineage(item: Mapping[str, Any]) -> list[Line]:
    lines: list[Line] = []
    above = item["ancestors"]
    if above:
        chain = " ← ".join(f"{run['verb']} {run['name']} {run['id']}" for run in above)
        lines.append([f"from     {safe(chain)}"])
    elif item["parent"]:
        lines.append([f"from     {safe(str(item['parent']))}"])
    if item["sweep"]:
        lines.append([f"sweep    {safe(str(item['sweep']))}"])
    for place, run in enumerate(item["children"]):
        text = f"{run['verb']} {run['name']} {run['id']} {run['state']}"
        lines.append([f"{'' if place else 'children':<8} {safe(text)}"])
    return lines


def _settings(settings: Sequence[Mapping[str, Any]]) -> list[Line]:
    from dlcli.commands.run_page import as_words

    if not settings:
        return [["settings: all as by default"]]
    rows: list[tuple[str, ...]] = [
        ("  " + one["key"], shorten(as_words(one["value"]), 60), _default(one["default"], as_words(one["default"])))
        for one in settings
    ]
    known = settings[0]["default"] != "?"
    return [[("settings other than the defaults" if known else "settings that were typed", "bold")], *_columns(rows)]


def _default(value: Any, words: str) -> str:
    return "" if value == "?" else f"default {shorten(words, 40)}"


def _metrics(metrics: Mapping[str, Any]) -> list[Line]:
    from dlcli.runs.figures import is_whole, shown_interval

    whole = {name: entry for name, entry in metrics.items() if is_whole(name)}
    if not whole:
        return []
    rows: list[tuple[str, ...]] = [("  " + name, shown_interval(name, entry), _count(entry)) for name, entry in whole.items()]
    lines: list[Line] = [[("metrics, with 95 % intervals", "bold")], *_columns(rows)]
    rest = len(metrics) - len(whole)
    return [*lines, [f"  and {rest} of single classes: --json"]] if rest else lines


def _count(entry: Mapping[str, Any]) -> str:
    return "" if entry.get("n") is None else f"n = {entry['n']}" + (f", {entry['method']}" if entry.get("method") else "")


def _circumstances(item: Mapping[str, Any]) -> list[Line]:
    versions = item["versions"] if isinstance(item["versions"], dict) else {}
    variables = item["environment"] if isinstance(item["environment"], dict) else {}
    rows: list[tuple[str, ...]] = [
        ("  machine", f"{item['device']} · {item['platform']}"),
        ("  code", f"git {item['git'] or 'none'}"),
        ("  versions", " · ".join(f"{name} {version}" for name, version in versions.items())),
        ("  variables", " ".join(f"{name}={value}" for name, value in variables.items()) or "none that is recorded"),
        ("  data", f"digest {item['data_digest'] or 'not known'}"),
    ]
    return [[("made on", "bold")], *_columns(rows)]


def sweep_lines(item: Mapping[str, Any]) -> list[Line]:
    """A sweep: what each of its arms came to, and its trials."""
    from dlcli.runs.figures import shown_interval

    trials = item["trials"]
    lines: list[Line] = [
        [(f"sweep {safe(item['id'])}", "bold"), f" · {len(trials)} {safe(str(item['verb'] or ''))} runs"],
        [f"folder   {safe(item['path'])}"],
    ]
    metric = str(item["metric"])
    arms = [(name, arm) for name, arm in item["arms"].items() if isinstance(arm, dict)]
    if arms:
        rows: list[tuple[str, ...]] = [
            (f"  {name}", shown_interval(metric, arm), f"{len(arm.get('runs') or [])} runs") for name, arm in arms
        ]
        lines += [[(f"mean {safe(metric)}, with 95 % intervals", "bold")], *_columns(rows)]
    rows = [(f"  {run['id']}", run["name"], run["state"], " ".join(run["overrides"])) for run in trials[:_MOST_TRIALS]]
    if rows:
        lines += [[("trials", "bold")], *_columns(rows)]
    if len(trials) > _MOST_TRIALS:
        lines.append([f"  and {len(trials) - _MOST_TRIALS} more: --json"])
    if item["files"]:
        lines.append([f"pictures {safe(' '.join(item['files'].values()))}"])
    return lines


def diff_lines(comparison: Any) -> list[Line]:
    """Two runs: what differs, the figures side by side, and the conclusion."""
    from dlcli.commands.run_diff import spelled
    from dlcli.runs.figures import is_whole

    lines: list[Line] = [
        [(label, "bold"), safe(f"  {run.verb} {run.name} {run.id} · {run.state}")]
        for label, run in (("A", comparison.first), ("B", comparison.second))
    ]
    if comparison.changes:
        rows: list[tuple[str, ...]] = [("", "", "A", "B")]
        rows += [
            (f"  {one.part}", one.key + ("" if one.matters else " (no effect)"), spelled(one.first), spelled(one.second))
            for one in comparison.changes
        ]
        lines += [[("what differs", "bold")], *_columns(rows)]
    else:
        lines.append(["nothing that is recorded differs"])
    figures = {name: figure for name, figure in comparison.figures.items() if is_whole(name)}
    if figures:
        rows = [
            ("", "A", "B", "B less A", ""),
            *(_compared(name, *figure) for name, figure in figures.items()),
        ]
        lines += [[("figures, with 95 % intervals", "bold")], *_columns(rows)]
    first, *remarks = comparison.conclusion
    lines.append([(safe(first), "bold")])
    lines += [[f"  {safe(remark)}"] for remark in remarks]
    return lines


def _compared(name: str, first: Mapping[str, Any], second: Mapping[str, Any], difference: Any) -> tuple[str, ...]:
    from dlcli.runs.figures import shown_interval

    sides = (shown_interval(name, first), shown_interval(name, second))
    if difference is None:
        return (f"  {name}", *sides, "–", "")
    verdict = {True: "differ", False: "not distinguishable", None: ""}[difference.is_distinguishable]
    if difference.overlap is True and difference.is_distinguishable:
        verdict = "differ, though the intervals overlap"
    return (f"  {name}", *sides, shown_interval(name, difference.to_dict(), signed=True), verdict if difference.value else "same")


def rank_lines(name: str, ranked: Sequence[Any]) -> list[Line]:
    """The runs of each data set, best first; those that chance may have put below the best are marked."""
    from dlcli.runs.figures import lower_is_better, shown_interval

    way = "lower" if lower_is_better(name) else "higher"
    lines: list[Line] = [[(f"{safe(name)}, {way} is better", "bold")]]
    for key in dict.fromkeys((one.data, one.digest) for one in ranked):
        members = [one for one in ranked if (one.data, one.digest) == key]
        rows = [
            (f"  {one.rank}", one.run.id, one.run.verb, one.run.name, shown_interval(name, one.entry), _verdict(one))
            for one in members
        ]
        lines += [[f"on {safe(key[0])}" + (f" ({key[1][:8]})" if _twins(ranked, key) else "")], *_columns(rows, right=[0])]
    if any(one.distinguishable is False for one in ranked):
        lines.append(["not distinguishable: the 95 % interval of the difference to the best holds 0"])
    return lines


def _twins(ranked: Sequence[Any], key: tuple[str, str]) -> bool:
    """Whether another data set has the same name, so that the digest must tell them apart."""
    return len({one.digest for one in ranked if one.data == key[0]}) > 1


def _verdict(one: Any) -> str:
    if one.rank == 1:
        return "best"
    return {True: "", False: "not distinguishable from the best", None: "no interval"}[one.distinguishable]


def _section(title: str, lines: list[Line]) -> list[Line]:
    """Lines below a title; nothing where there are none."""
    heading: Line = [(title, "bold")]
    return [heading, *lines] if lines else []


def _columns(
    rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), styles: Mapping[int, Sequence[str]] | None = None
) -> list[Line]:
    """Aligned rows; ``styles`` gives a column's style for each row after the header."""
    from dlcli.report.columns import aligned, joined

    cells = aligned(rows, right=right)
    if not styles or os.environ.get("NO_COLOR"):
        return [[line] for line in joined(cells)]
    found: list[Line] = [[line] for line in joined(cells[:1])]
    for place, row in enumerate(cells[1:]):
        parts: Line = []
        for column, text in enumerate(row):
            style = styles.get(column, ())
            parts += [(text, style[place]) if style else text, "  " if column < len(row) - 1 else ""]
        found.append(parts)
    return found


def _local_time(start: Any) -> str:
    try:
        return datetime.fromisoformat(start).astimezone().strftime("%d %b %H:%M")
    except (TypeError, ValueError):  # a record that someone else wrote
        return ""
