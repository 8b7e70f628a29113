"""What people read while a command works: one voice, on stderr. Lines, a progress bar, pictures where they can be seen."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from dlcli.config.invocation import Invocation
from dlcli.report.lessons import lesson_about
from dlcli.report.text import safe

# Where what is said is kept as well: the log of the run that is worked on, the innermost last.
_LOGS: list[Callable[[str], None]] = []


@contextmanager
def kept(note: Callable[[str], None]) -> Iterator[None]:
    """Gives every line that is said meanwhile to ``note`` as well, also where it is said quietly."""
    _LOGS.append(note)
    try:
        yield
    finally:
        _LOGS.pop()


def _keep(text: str) -> None:
    if _LOGS:
        _LOGS[-1](text)


class Talk:
    """Says things to people, and to the log of their run.

    Args:
        quiet: say nothing but warnings.
        trial: one of a sweep's runs, which ends without pictures and advice of its own.
        about: the command that is worked on, of which the advice at the end names the lesson.
    """

    def __init__(self, *, quiet: bool = False, trial: bool = False, about: Invocation | None = None) -> None:
        self.quiet = quiet
        self.trial = trial
        self.about = about
        # Plain lines keep their length when stderr is a file or a pipe; a terminal has its own width.
        width = None if sys.stderr.isatty() else 240
        self.console = Console(stderr=True, highlight=False, markup=False, emoji=False, width=width, soft_wrap=True)

    @classmethod
    def of(cls, invocation: Invocation) -> Talk:
        """Returns the voice for a command as it was asked for."""
        return cls(quiet=invocation.quiet, trial=invocation.sweep is not None, about=invocation)

    @property
    def shows_pictures(self) -> bool:
        """Pictures need a terminal with colours, and someone who wants them."""
        colours = self.console.is_terminal and not self.console.is_dumb_terminal and not os.environ.get("NO_COLOR")
        return colours and not self.quiet and not self.trial

    def line(self, text: str, *, style: str = "") -> None:
        """Prints one line."""
        _keep(safe(text))
        self._print(text, style)

    def _print(self, text: str, style: str = "") -> None:
        if not self.quiet:
            self.console.print(Text(safe(text), style=style))

    def text(self, text: str) -> None:
        """Prints several lines, such as a configuration."""
        for part in text.splitlines():
            self.line(part)

    def warn(self, text: str) -> None:
        """Prints a warning, also when quiet."""
        _keep(f"warning: {safe(text)}")
        self.console.print(Text(f"warning: {safe(text)}", style="yellow"))

    def show(self, renderable: RenderableType) -> None:
        """Prints a table."""
        for line in _plain(renderable) if _LOGS else ():
            _keep(line)
        if not self.quiet:
            self.console.print(renderable)

    def picture(self, renderable: RenderableType) -> None:
        """Prints a picture where pictures can be seen."""
        if self.shows_pictures:
            self.console.print(renderable)

    def next_commands(self, *commands: tuple[str, str], seen: Sequence[str] = ()) -> None:
        """Prints what to try next, (command, what it does), and the lesson that explains what was seen.

        Args:
            seen: what there was to see, beside the command's parts: ``table``, ``groups``.
        """
        if self.trial or self.quiet:
            return
        lesson = None
        if self.about is not None:
            # A part that was put in place of an experiment's own is what somebody wanted to see.
            typed = (text.lstrip("+").partition("=") for text in self.about.overrides)
            parts = [name for key, _, name in typed if key in {"adversary", "model"}]
            lesson = lesson_about(self.about.verb, self.about.choices, seen=[*seen, *parts])
        commands = commands if lesson is None else (*commands, (f"dl learn {lesson.name}", lesson.title))
        if not commands:
            return
        width = max(len(command) for command, _ in commands)
        self._print("next:")
        for command, purpose in commands:
            self._print(f"  {command:<{width}}   {purpose}", "cyan")

    @contextmanager
    def progress(self, unit: str, total: int, *, done: int = 0) -> Iterator[Bar]:
        """Lends a progress bar counting ``unit``; without a terminal, the lines that it is told to print stand alone."""
        if self.quiet or not self.console.is_terminal:
            yield Bar(None, None)
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"),
        )
        with Progress(*columns, TimeRemainingColumn(compact=True), console=self.console, transient=True) as live:
            task = live.add_task(unit, total=total, completed=done, detail="")
            yield Bar(live, task)


def _plain(renderable: RenderableType) -> list[str]:
    console = Console(file=io.StringIO(), highlight=False, markup=False, emoji=False, width=200)
    with console.capture() as captured:
        console.print(renderable)
    return [line.rstrip() for line in captured.get().splitlines()]


class Bar:
    """A progress bar that may not be there."""

    def __init__(self, live: Progress | None, task: TaskID | None) -> None:
        self._live = live
        self._task = task

    def at(self, completed: int, detail: str = "") -> None:
        """Moves the bar."""
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=completed, detail=detail)


def metrics_table(title: str, metrics: dict[str, Any], labels: dict[str, str]) -> RenderableType:
    """Returns a table of the metrics named in ``labels`` (metric name → words), with their 95 % intervals."""
    from rich.table import Table

    table = Table(title=safe(title), title_justify="left", box=None, pad_edge=False)
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    for name, words in labels.items():
        metric = metrics.get(name)
        if metric is None or metric.value != metric.value:
            continue
        share = metric.method == "wilson"
        bounds = "" if metric.low is None else f"{_shown(metric.low, share=share)} … {_shown(metric.high, share=share)}"
        table.add_row(words, _shown(metric.value, share=share), bounds)
    return table


def _shown(value: float, *, share: bool) -> str:
    return f"{100 * value:.2f} %" if share else f"{value:.4f}"
