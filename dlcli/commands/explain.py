"""``dl explain``: where a model looks, as heat maps over the examples."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from rich.table import Table
from torch import Tensor

from dlcli.commands.console import Talk
from dlcli.commands.explain_class import ExplainedClass, read_class
from dlcli.commands.explain_files import EMPTY, captions, draw, joined, maps_json, maps_npz
from dlcli.commands.explain_gaps import Gaps, watched
from dlcli.commands.explain_select import check_selection, selected_rows
from dlcli.commands.explain_study import run_study
from dlcli.commands.explain_trust import Trust, refuse_less, wants_trust, weighed
from dlcli.commands.next_steps import after_explain
from dlcli.commands.session import finished, recorded
from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.commands.subject import Subject, load_subject
from dlcli.config.build import build
from dlcli.config.invocation import Invocation
from dlcli.config.schema import ExplainSettings
from dlcli.config.stored import as_yaml
from dlcli.contracts import Explainer, Metric
from dlcli.engine.attribute import ExplainReport, attribute
from dlcli.engine.device import memory_errors
from dlcli.errors import UsageError
from dlcli.explainers.layers import LayerRow, layer_table
from dlcli.metrics.intervals import wilson
from dlcli.runs.record import Result

_COARSE = 3  # cells a side: a map of so few says little of where


def explain(settings: ExplainSettings, invocation: Invocation) -> Result | None:
    """Explains a model's predictions; returns the result, or None for ``--dry-run`` and ``--list-layers``."""
    if settings.study is not None:
        return run_study(settings, invocation)
    talk = Talk.of(invocation)
    started = time.perf_counter()
    with catching_signals() as flag:
        # All of the split is loaded where some of it are chosen.
        wide = settings if settings.select is None else replace(settings, limit=None)
        subject = load_subject(wide, talk, images=settings.images)
        check_selection(settings.select, labelled=subject.labelled)
        weigh = wants_trust(settings, subject)
        wanted = read_class(settings.explained, subject.loaded.model.spec.classes, labelled=subject.labelled)
        if settings.list_layers:
            talk.show(_listed(layer_table(subject.loaded.model, _one(subject))))
            return None
        explainer = build("explainer", settings.explainer)
        assert isinstance(explainer, Explainer)
        layer = _layer(explainer, subject, talk)
        if layer is not None and hasattr(explainer, "layer"):
            explainer = _at_layer(explainer, layer)  # looked for once, not with every batch
        if invocation.dry_run:
            talk.text(as_yaml(settings).decode())
            count = len(subject.split) if settings.limit is None else min(settings.limit, len(subject.split))
            talk.line(f"{count} maps would be made; nothing was written")
            return None
        rows = _rows(settings, subject, flag)
        subject = replace(subject, split=subject.split.select(rows))
        name = invocation.choices.get("explainer", "explainer")
        with recorded(settings, invocation, name=name, parent=subject.loaded.reference, device=subject.device) as run:
            gaps, begun = Gaps(), time.perf_counter()
            report = joined(_parts(settings, subject, watched(explainer, gaps), wanted, flag))
            classes = subject.loaded.model.spec.classes
            trust = None
            if weigh:
                took = time.perf_counter() - begun
                trust = weighed(settings, subject, explainer, report, seconds=took, check=flag.check, talk=talk)
            said = captions(report, classes, labelled=subject.labelled)
            said = said if trust is None else [f"{own}\n{found.word}" for own, found in zip(said, trust.verdicts, strict=True)]
            about = {"explainer": name, "layer": layer, "class": wanted.words, "select": settings.select}
            files = {
                "maps": run.write("maps.npz", maps_npz(report)),
                "items": run.write("maps.json", maps_json(report, classes, about=about, more=_more(gaps, trust))),
                **draw(run, report, subject.loaded.model.spec, said, name=name, talk=talk),
            }
            metrics = _metrics(report, labelled=subject.labelled) | gaps.metrics | ({} if trust is None else trust.metrics)
            result = finished(run, invocation, seconds=time.perf_counter() - started, metrics=metrics, files=files)
            for line in _remarks(explainer, report, gaps):
                talk.warn(line)
            for line in () if trust is None else trust.words:
                talk.line(line)
            talk.line(f"{len(report.maps)} maps of {_explained(explainer, wanted)} · {result.seconds:.1f} s")
            talk.line(f"explain run: {run.path}")
            kind = subject.loaded.model.spec.kind
            talk.next_commands(*after_explain(settings, name=name, kind=kind), seen=[kind])
            refuse_less(settings.require, trust)
            return result


def _more(gaps: Gaps, trust: Trust | None) -> list[dict[str, object]]:
    """What is known of each map besides, for the file of maps."""
    parts = [part for part in (gaps.items, [] if trust is None else trust.items) if part]
    return [dict(itertools.chain.from_iterable(each.items() for each in row)) for row in zip(*parts, strict=True)]


def _rows(settings: ExplainSettings, subject: Subject, flag: StopFlag) -> Tensor:
    count = len(subject.split)
    limit = count if settings.limit is None else min(settings.limit, count)
    return selected_rows(
        settings.select,
        subject,
        limit=limit,
        batch_size=settings.batch_size,
        seed=settings.seed,
        split=settings.split,
        check=flag.check,
    )


def _parts(
    settings: ExplainSettings, subject: Subject, explainer: Explainer, wanted: ExplainedClass, flag: StopFlag
) -> list[ExplainReport]:
    what, advice = f"explaining {settings.batch_size} examples at once", f"--batch-size {max(1, settings.batch_size // 4)}"
    with memory_errors(what, advice):
        return list(
            attribute(
                subject.loaded.model,
                explainer,
                subject.split,
                batch_size=settings.batch_size,
                seed=settings.seed,
                explained=wanted,
                check=flag.check,
            )
        )


def _one(subject: Subject) -> Tensor:
    return next(iter(subject.split.batches(torch.arange(1), 1))).inputs


def _layer(explainer: Explainer, subject: Subject, talk: Talk) -> str | None:
    """The layer that the explainer will look at, where it has one. A wrong name or a model without one is the user's to mend."""
    chooser: Any = getattr(explainer, "layer_for", None)
    if chooser is None:
        return None
    inputs = _one(subject)
    try:
        name = str(chooser(subject.loaded.model, inputs))
        row = next((row for row in layer_table(subject.loaded.model, inputs) if row.name == name), None)
        if row is not None and not row.usable:
            raise ValueError(f"layer must have a spatial map and run once, '{name}' of shape {_shape(row)} has none")
    except ValueError as error:
        raise UsageError(f"explainer.layer: {error}", hint="--list-layers shows them all; --layer auto") from error
    cells = None if row is None else row.cells
    talk.line(f"layer: {name}" + ("" if cells is None else f", maps of {cells[0]} x {cells[1]} cells"))
    if cells is not None and min(cells) <= _COARSE:
        talk.warn(f"{cells[0]} x {cells[1]} cells say little of where: larger images, or --layer with an earlier one")
    return name


def _at_layer(explainer: Any, layer: str) -> Explainer:
    return cast(Explainer, replace(explainer, layer=layer))


def _listed(rows: Sequence[LayerRow]) -> Table:
    table = Table("layer", "kind", "answers", "maps of", box=None, pad_edge=False)
    for row in rows:
        cells = f"{row.cells[0]} x {row.cells[1]}" if row.usable and row.cells else "–"
        table.add_row(row.name, row.kind, _shape(row), cells)
    return table


def _shape(row: LayerRow) -> str:
    return " x ".join(map(str, row.shape)) or "–"


def _explained(explainer: Explainer, wanted: ExplainedClass) -> str:
    return wanted.words if getattr(explainer, "class_dependent", True) else "what the model looks at, whatever the class"


def _remarks(explainer: Explainer, report: ExplainReport, gaps: Gaps) -> list[str]:
    """What whoever looks at the maps must know."""
    empty = int(report.empty.sum())
    found = [f"{empty} of {len(report.maps)} maps are all zero: {EMPTY}"] if empty else []
    note = getattr(explainer, "note", None)
    return [*found, *([str(note)] if note else []), *gaps.remarks]


def _metrics(report: ExplainReport, *, labelled: bool) -> dict[str, Metric]:
    right = int((report.predicted == report.targets).sum())
    known = {"explain/accuracy": wilson(right, len(report.targets))} if labelled else {}
    return {**known, "explain/empty_maps": wilson(int(report.empty.sum()), len(report.targets))}
