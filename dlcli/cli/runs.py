"""``dl runs``: what is in the runs folder: listed, shown, compared, ranked. No torch."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import typer

_ACTIONS = {"list": "[VERB]", "show": "RUN", "diff": "A B", "best": "[METRIC]"}
_WANTED = {"list": (0, 1), "show": (1, 1), "diff": (2, 2), "best": (0, 1)}
_WORDS = typer.Argument(None, metavar="[list|show|diff|best] …", help="As above; the default is list.", show_default=False)


def runs(
    *,
    words: list[str] | None = _WORDS,
    verb: str | None = typer.Option(None, "--verb", metavar="VERB", help="list, best: only runs of this verb."),
    name: str | None = typer.Option(None, "--name", metavar="NAME", help="list, best: only runs of this name."),
    as_json: bool = typer.Option(False, "--json", help="Print them as JSON."),
    limit: int = typer.Option(50, "--limit", "-n", help="list: the newest N; best: the first N of each data set."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a failure.", hidden=True),
) -> None:
    """List, show, compare and rank the runs.

    dl runs                     id, verb, name, state, result
    dl runs train               of one verb
    dl runs show mnist          everything about a run, or a sweep
    dl runs diff A B            what differs, and what that did
    dl runs best test/ece       ranked; ties are marked
    """
    from dlcli.errors import UsageError

    action, arguments = _parsed(list(words or []))
    _check(action, arguments, verb=verb, name=name)
    if limit < 1:
        raise UsageError(f"--limit {limit}: expected 1 or more", hint="--limit 20")
    if action == "list":
        items, lines = _listed(verb or next(iter(arguments), None), name, limit)
    elif action == "show":
        items, lines = _shown(arguments[0])
    elif action == "diff":
        items, lines = _compared(*arguments)
    else:
        items, lines = _ranked(next(iter(arguments), None), verb, name, limit)
    if as_json:
        sys.stdout.write(json.dumps({"schema": 1, "verb": "runs", "items": items}, indent=1) + "\n")
    elif lines:
        _write(lines)


def _parsed(words: list[str]) -> tuple[str, list[str]]:
    """The action and its arguments; a verb alone is a list of its runs."""
    if not words or words[0] not in _ACTIONS:
        return "list", words
    return words[0], words[1:]


def _check(action: str, arguments: list[str], *, verb: str | None, name: str | None) -> None:
    """Raises UsageError where the words do not fit the action."""
    from dlcli.config.catalog import WORD_GROUPS
    from dlcli.errors import UsageError, nearest, suggestion

    fewest, most = _WANTED[action]
    usage = f"dl runs {action} {_ACTIONS[action]}"
    of_verb = verb if verb is not None else next(iter(arguments if action == "list" else []), None)
    if of_verb is not None and of_verb not in WORD_GROUPS:
        typed = verb is None and action == "list"
        near = nearest(of_verb, [*WORD_GROUPS, *(_ACTIONS if typed else ())])
        more = f", or {', '.join(_ACTIONS)}" if typed else ""
        expected = f"expected one of {', '.join(WORD_GROUPS)}{more}{suggestion(near)}"
        hint = f"dl runs {near[0]}" if near and typed else f"dl runs show {of_verb}" if typed else "dl runs --verb train"
        raise UsageError(f"no runs are made by '{of_verb}'; {expected}", hint=hint)
    if not fewest <= len(arguments) <= most:
        found = f"got {len(arguments)}: {' '.join(arguments)}" if arguments else "got none"
        wanted = f"{fewest} word{'s' * (fewest > 1)}" if fewest == most else f"at most {most}"
        raise UsageError(f"{usage}: expected {wanted}, {found}", hint="dl runs lists the ids" if fewest else usage)
    if verb is not None and action == "list" and arguments:
        raise UsageError(f"--verb {verb} and the word {arguments[0]}: give one of them", hint=f"dl runs --verb {verb}")
    given = [flag for flag, value in (("--verb", verb), ("--name", name)) if value is not None]
    if given and action in {"show", "diff"}:
        raise UsageError(f"{given[0]} is for list and best; {action} takes {_ACTIONS[action]}", hint=usage)


def _listed(verb: str | None, name: str | None, limit: int) -> tuple[list[dict[str, Any]], list[Any]]:
    from dlcli.runs.find import list_runs
    from dlcli.runs.run import runs_root

    found = (run for run in list_runs(verbs=(verb,) if verb else None) if name is None or run.name == name)
    items = [_item(run) for _, run in zip(range(limit), found, strict=False)]
    if not items:
        what = " ".join(["no", *filter(None, [verb]), "runs", *([f"named '{name}'"] if name else [])])
        sys.stderr.write(_safe(f"{what} in {runs_root()}; make one: dl train mnist") + "\n")
        return items, []
    from dlcli.cli.run_lines import list_lines

    return items, list_lines(items)


def _item(run: Any) -> dict[str, Any]:
    from dlcli.runs.figures import main_name

    result = run.result
    name = main_name(result.metrics) if result else None
    return {
        "id": run.id,
        "verb": run.verb,
        "name": run.name,
        "parent": run.information.get("parent"),
        "state": run.state,
        "metric": name,
        "value": result.metrics[name] if result and name else None,
        "seconds": result.seconds if result else None,
        "start": run.information.get("start"),
        "problem": run.problem,
    }


def _shown(reference: str) -> tuple[list[dict[str, Any]], list[Any]]:
    from dlcli.cli.run_lines import page_lines, sweep_lines
    from dlcli.commands.run_page import find_any, page, sweep_page
    from dlcli.runs.find import RunInfo

    found = find_any(reference)
    item = page(found) if isinstance(found, RunInfo) else sweep_page(found)
    return [item], page_lines(item) if isinstance(found, RunInfo) else sweep_lines(item)


def _compared(first: str, second: str) -> tuple[list[dict[str, Any]], list[Any]]:
    from dlcli.cli.run_lines import diff_lines
    from dlcli.commands.run_diff import compare
    from dlcli.commands.run_page import find_any
    from dlcli.errors import UsageError
    from dlcli.runs.find import RunInfo

    one, other = (find_any(reference) for reference in (first, second))
    if not isinstance(one, RunInfo) or not isinstance(other, RunInfo):
        sweep = first if not isinstance(one, RunInfo) else second
        raise UsageError(f"{sweep} is a sweep; dl runs diff compares two runs", hint=f"dl runs show {sweep} names its trials")
    comparison = compare(one, other)
    return comparison.items(), diff_lines(comparison)


def _ranked(metric: str | None, verb: str | None, name: str | None, limit: int) -> tuple[list[dict[str, Any]], list[Any]]:
    from dlcli.cli.run_lines import rank_lines
    from dlcli.commands.run_ranking import rank
    from dlcli.runs.find import list_runs

    found = (run for run in list_runs(verbs=(verb,) if verb else None) if name is None or run.name == name)
    figure, ranked = rank(found, metric)
    kept = [one for one in ranked if one.rank <= limit]
    return [one.to_dict(figure) for one in kept], rank_lines(figure, kept)


def _write(lines: Sequence[Any]) -> None:
    """Prints lines of plain text; those with a style get it where the terminal shows colours."""
    if not sys.stdout.isatty():
        sys.stdout.write("".join("".join(part if isinstance(part, str) else part[0] for part in line) + "\n" for line in lines))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    console.print(Text("\n").join(Text.assemble(*line) for line in lines))


def _safe(text: str) -> str:
    from dlcli.report.text import safe

    return safe(text)
