"""``trainer.watch=true``: what the layers did goes into ``metrics.jsonl``, a picture and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.commands.console import Talk
from dlcli.engine.state import Parts
from dlcli.engine.watch import Watch
from dlcli.report.watch_plot import watch_picture, watch_plot, watch_words
from dlcli.runs.run import Run

PICTURE = "plots/watch.png"


def log_watched(run: Run, parts: Parts, line: Mapping[str, Any]) -> None:
    """Appends what was measured since the last call to ``metrics.jsonl``; ``line`` has the step, the epoch and the time."""
    if isinstance(parts.observer, Watch):
        for name, value in parts.observer.take():
            run.log({**line, "split": "train", "name": name, "value": value})


def show_watched(run: Run, lines: Sequence[Mapping[str, Any]], talk: Talk) -> dict[str, str]:
    """Draws and says what a watched fit saw; returns the picture's file for the result, or nothing for a fit without a watch."""
    if not any(str(line["name"]).startswith("watch/") for line in lines):
        return {}
    talk.picture(watch_picture(lines, width=min(talk.console.width, 72)))
    for sentence in watch_words(lines):
        talk.line(f"watch: {sentence}")
    return {"watch": run.write(PICTURE, watch_plot(lines))}
