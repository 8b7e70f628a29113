"""``dl learn``: a first course in deep learning, each idea with the commands that show it. No torch to read it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from dlcli.report.lessons import Lesson


def complete_lesson(incomplete: str) -> list[str]:
    """Returns the lessons that a word may become."""
    from dlcli.report.lessons import lessons

    return [lesson.name for lesson in lessons() if lesson.name.startswith(incomplete)]


def learn(
    lesson: str | None = typer.Argument(
        None, metavar="LESSON", help="One of those that dl learn lists.", autocompletion=complete_lesson, show_default=False
    ),
    *,
    run: bool = typer.Option(False, "--run", help="Run the lesson's commands."),
    opens: bool = typer.Option(False, "--open", help="With --run: show the pictures with the desktop's viewer."),
    as_json: bool = typer.Option(False, "--json", help="Print it as JSON."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a failure.", hidden=True),
) -> None:
    """Read a lesson on deep learning, and run what it shows.

    dl learn                          all lessons
    dl learn backpropagation          half a page
    dl learn backpropagation --run    what it shows, on data
    """
    from dlcli.errors import UsageError
    from dlcli.report.lessons import lesson_named, lessons

    if lesson is None and (run or opens):
        raise UsageError("--run needs a lesson", hint=f"dl learn {lessons()[0].name} --run")
    if opens and not run:
        raise UsageError("--open shows the pictures of --run", hint=f"dl learn {lesson} --run --open")
    if as_json and run:
        raise UsageError("--json prints the text of a lesson, --run runs it; expected one", hint=f"dl learn {lesson} --run")
    chosen = None if lesson is None else lesson_named(lesson)
    if as_json:
        items = [_item(each) for each in ([chosen] if chosen else lessons())]
        sys.stdout.write(json.dumps({"schema": 1, "verb": "learn", "items": items}, indent=1, ensure_ascii=False) + "\n")
    elif chosen is None:
        _list()
    elif run:
        _run(chosen, opens=opens)
    else:
        _show(chosen)


def _item(lesson: Lesson) -> Mapping[str, Any]:
    return {
        "name": lesson.name,
        "title": lesson.title,
        "idea": lesson.idea,
        "sections": dict(lesson.sections),
        "commands": dict(lesson.commands),
    }


def _print(*parts: RenderableType) -> None:
    """Prints without the spaces that fill lines up: they are in the way in pipes and when text is copied."""
    from rich.console import Console
    from rich.theme import Theme

    # Commands look alike wherever they stand; a background of their own would suit dark or light terminals only.
    console = Console(highlight=False, markup=False, emoji=False, theme=Theme({"markdown.code": "cyan"}))
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _list() -> None:
    from rich.table import Table

    from dlcli.report.lessons import lessons

    table = Table.grid(padding=(0, 2))
    for number, lesson in enumerate(lessons(), 1):
        table.add_row(str(number), lesson.name, lesson.title)
    _print(table, f"\ndl learn {lessons()[0].name}   the first")


def _show(lesson: Lesson) -> None:
    from dlcli.report.lessons import shown

    _print(shown(lesson))


def _run(lesson: Lesson, *, opens: bool) -> None:
    """Runs the commands one after the other; raises typer.Exit with the code of the first that fails."""
    import time

    from dlcli.cli.answer import exit_code_of
    from dlcli.runs.platform import open_with_desktop

    started = time.time()
    for command, purpose in lesson.commands.items():
        sys.stderr.write(f"\n$ {command}   {purpose}\n")
        sys.stderr.flush()
        if code := exit_code_of(shlex.split(command)[1:]):
            raise typer.Exit(code)
    pictures = list(_pictures(since=started))
    for picture in pictures:
        sys.stderr.write(f"picture: {picture}\n")
        if opens:
            try:
                open_with_desktop(picture)
            except OSError as error:  # the pictures are made: a missing viewer must not make it fail
                sys.stderr.write(f"warning: no viewer found ({error.strerror})\n")
    sys.stderr.write(f"dl learn {lesson.name}   what to look for\n")


def _pictures(*, since: float) -> Iterator[Path]:
    """The pictures of runs and of sweeps that were made after a time, oldest first."""
    from dlcli.runs.run import runs_root

    found = [*runs_root().glob("*/*/*/plots/*.png"), *runs_root().glob("sweeps/*/*.png")]
    dated = sorted((picture.stat().st_mtime, picture) for picture in found)
    yield from (picture for made, picture in dated if made >= since)
