"""The studies of ``dl explain``: a look at a whole model, in place of maps of single examples."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from torch import Tensor

from dlcli.classifier import Classifier
from dlcli.commands.console import Talk
from dlcli.commands.next_steps import same_subject
from dlcli.commands.session import finished, plain_number, recorded
from dlcli.commands.signals import catching_signals
from dlcli.commands.subject import Subject, load_subject
from dlcli.config.build import build
from dlcli.config.invocation import Invocation
from dlcli.config.schema import ExplainSettings
from dlcli.config.stored import as_yaml
from dlcli.contracts import Batch, Explainer, Metric
from dlcli.data.memory import stratified_subset
from dlcli.engine.device import memory_errors
from dlcli.errors import UsageError
from dlcli.report.text import safe
from dlcli.runs.record import Result
from dlcli.runs.run import Run

# Keys of ``dl explain EXPLAINER`` that no study reads.
_OF_MAPS = ("explained=", "select=", "evidence=", "thorough=", "require=", "list_layers=")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a study looks at, and with what.

    Args:
        split: which of the model's splits the examples are from.
        explainer: what ``explainer=`` chose, for studies that make maps; None for others.
        tell: says one line while the study works.
        check: raises where a signal asked for a stop.
    """

    subject: Subject
    split: str
    seed: int
    batch_size: int
    explainer: Explainer | None = None
    tell: Callable[[str], None] = lambda line: None
    check: Callable[[], None] = lambda: None

    @property
    def model(self) -> Classifier:
        """The model that is looked at."""
        return self.subject.loaded.model

    def rows(self, count: int) -> Tensor:
        """Returns positions of ``count`` examples with the split's class shares, or of all; int64, ascending, by the seed."""
        targets = self.subject.split.targets.cpu()
        return stratified_subset(targets, min(count, len(targets)), seed=self.seed)

    def batch(self, count: int) -> Batch:
        """Returns the examples at :meth:`rows` as one batch."""
        rows = self.rows(count)
        return next(iter(self.subject.split.batches(rows, len(rows))))


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a study found.

    Args:
        metrics: by the names of ``result.json``.
        arrays: the numbers behind the pictures, one ``.npz``.
        pictures: PNGs by name.
        files: what else is written, by its name in the run.
        shown: what a terminal with colours can draw.
        tables: (title, rows), the header first.
        words: what a learner is told, one line each.
        following: what to try next, (command, what it does).
    """

    metrics: Mapping[str, Metric]
    arrays: Mapping[str, Any]
    pictures: Mapping[str, bytes]
    shown: Sequence[RenderableType] = ()
    tables: Sequence[tuple[str, Sequence[Sequence[str]]]] = ()
    words: Sequence[str] = ()
    following: Sequence[tuple[str, str]] = field(default=())
    files: Mapping[str, bytes] = field(default_factory=dict)


def run_study(settings: ExplainSettings, invocation: Invocation) -> Result | None:
    """Runs the study that was chosen; returns the result, or None for ``--dry-run``. Raises UsageError, ConfigError."""
    talk = Talk.of(invocation)
    assert settings.study is not None
    study: Any = build("study", settings.study)
    name = next((str(choice) for group, choice in invocation.choices.items() if group.startswith("study/")), "study")
    settings = _settled(settings, invocation, name, maps=getattr(study, "makes_maps", False))
    explainer = build("explainer", settings.explainer) if getattr(study, "makes_maps", False) else None
    started = time.perf_counter()
    with catching_signals() as flag:
        subject = load_subject(settings, talk)
        scene = Scene(
            subject=subject,
            split=settings.split,
            seed=settings.seed,
            batch_size=settings.batch_size,
            explainer=explainer,
            tell=talk.line,
            check=flag.check,
        )
        # What a study may refuse before there is a run folder.
        getattr(study, "check", lambda _: None)(scene)
        if invocation.dry_run:
            talk.text(as_yaml(settings).decode())
            talk.line(f"{plain_number(len(scene.rows(study.examples)))} examples would be looked at; nothing was written")
            return None
        with recorded(settings, invocation, name=name, parent=subject.loaded.reference, device=subject.device) as run:
            with memory_errors(f"a study of {study.examples} examples", f"study.examples={max(1, study.examples // 4)}"):
                found: Findings = study(scene)
            seconds = time.perf_counter() - started
            result = finished(run, invocation, seconds=seconds, metrics=found.metrics, files=_files(run, found, name))
            _tell(talk, found, run, result)
            talk.next_commands(*_of_this_model(found.following, settings))
            return result


def _settled(settings: ExplainSettings, invocation: Invocation, name: str, *, maps: bool) -> ExplainSettings:
    """The settings with a study's own limit. Raises UsageError for what a study would ignore.

    Args:
        maps: it makes some, so that it matters which explainer there is.
    """
    if settings.images is not None:
        raise UsageError(f"dl explain {name} needs labels, and --images brings none", hint="dl explain gradcam --images …")
    unread = _OF_MAPS if maps else ("explainer", *_OF_MAPS)
    ignored = next((text for text in invocation.overrides if text.lstrip("+").startswith(unread)), None)
    if ignored is not None:
        raise UsageError(f"dl explain {name} explains no single example: {ignored} has no place", hint="study.KEY=VALUE")
    asked = any(text.startswith("limit=") for text in invocation.overrides)
    return settings if asked else replace(settings, limit=None)


def _files(run: Run, found: Findings, name: str) -> dict[str, str]:
    pictures = {picture: run.write(f"plots/{picture}.png", data) for picture, data in found.pictures.items()}
    buffer = io.BytesIO()
    arrays: Any = {key: np.asarray(value) for key, value in found.arrays.items()}
    np.savez_compressed(buffer, **arrays)
    others = {file.partition(".")[0]: run.write(file, data) for file, data in found.files.items()}
    return {**pictures, **others, "arrays": run.write(f"{name}.npz", buffer.getvalue())}


def _tell(talk: Talk, found: Findings, run: Run, result: Result) -> None:
    for picture in found.shown:
        talk.picture(picture)
    for title, rows in found.tables:
        talk.show(_table(title, rows))
    for line in found.words:
        talk.line(line)
    for file in result.files.values():
        if file.endswith(".png"):
            talk.line(f"picture: {run.path}/{file}")
    talk.line(f"explain run: {run.path} · {result.seconds:.1f} s")


def _of_this_model(following: Sequence[tuple[str, str]], settings: ExplainSettings) -> list[tuple[str, str]]:
    """The commands about the model that the user named."""
    same, verbs = same_subject(settings), ("dl explain", "dl evaluate", "dl attack")
    return [(command + (same if command.startswith(verbs) else ""), purpose) for command, purpose in following]


def _table(title: str, rows: Sequence[Sequence[str]]) -> Table:
    header, *body = rows
    table = Table(title=safe(title), title_justify="left", box=None, pad_edge=False)
    for place, column in enumerate(header):
        table.add_column(safe(column), justify="right" if place else "left")
    for row in body:
        table.add_row(*map(safe, row))
    return table


def refuse_kind(scene: Scene, name: str, *kinds: str) -> None:
    """Raises UsageError where a study cannot look at data of this kind."""
    spec = scene.model.spec
    if spec.kind not in kinds:
        fitting = "dl explain gradients, landscape or embedding"
        raise UsageError(f"dl explain {name} looks at {kinds[0]}s, and {spec.name} holds {spec.kind}s", hint=fitting)
