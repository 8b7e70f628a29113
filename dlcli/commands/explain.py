"""``dl explain``: where a model looks, as heat maps over the examples."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import torch

from dlcli.commands.console import Talk
from dlcli.commands.explain_study import run_study
from dlcli.commands.next_steps import same_subject
from dlcli.commands.session import finished, recorded
from dlcli.commands.signals import catching_signals
from dlcli.commands.subject import Subject, load_subject
from dlcli.config.build import build
from dlcli.config.invocation import Invocation
from dlcli.config.schema import ExplainSettings
from dlcli.config.stored import as_yaml
from dlcli.contracts import Explainer, Metric
from dlcli.engine.attribute import ExplainReport, attribute
from dlcli.engine.device import memory_errors
from dlcli.errors import UsageError
from dlcli.metrics.intervals import wilson
from dlcli.report import terminal
from dlcli.report.images import overlay, to_uint8
from dlcli.report.sheet import image_rows
from dlcli.runs.record import Result
from dlcli.runs.run import Run

SHOWN = 8


def explain(settings: ExplainSettings, invocation: Invocation) -> Result | None:
    """Explains a model's predictions; returns the result, or None for ``--dry-run``."""
    if settings.study is not None:
        return run_study(settings, invocation)
    talk = Talk.of(invocation)
    started = time.perf_counter()
    with catching_signals() as flag:
        subject = load_subject(settings, talk, images=settings.images)
        explainer = build("explainer", settings.explainer)
        assert isinstance(explainer, Explainer)
        layer = _layer(explainer, subject)
        if layer:
            talk.line(f"layer: {layer}")
        if invocation.dry_run:
            talk.text(as_yaml(settings).decode())
            talk.line(f"{len(subject.split)} maps would be made; nothing was written")
            return None
        name = invocation.choices.get("explainer", "explainer")
        with recorded(settings, invocation, name=name, parent=subject.loaded.reference, device=subject.device) as run:
            what, advice = (
                f"explaining {settings.batch_size} examples at once",
                f"--batch-size {max(1, settings.batch_size // 4)}",
            )
            with memory_errors(what, advice):
                parts = list(
                    attribute(
                        subject.loaded.model,
                        explainer,
                        subject.split,
                        batch_size=settings.batch_size,
                        seed=settings.seed,
                        check=flag.check,
                    )
                )
            report = _joined(parts)
            files = {"maps": run.write("maps.npz", _npz(report))} | _pictures(run, report, subject, name, talk)
            metrics = _metrics(report, labelled=subject.labelled)
            result = finished(run, invocation, seconds=time.perf_counter() - started, metrics=metrics, files=files)
            empty = int((report.maps.flatten(1).abs().amax(dim=1) == 0).sum())
            if empty:
                talk.warn(f"{empty} of {len(report.maps)} maps are all zero: no positive evidence at this layer")
            talk.line(f"{len(report.maps)} maps of the predicted class · {result.seconds:.1f} s")
            talk.line(f"explain run: {run.path}")
            talk.next_commands(
                (f"dl explain saliency{same_subject(settings)}", "single pixels instead of regions"),
                (f"dl attack fgsm{same_subject(settings)}", "how little must change to fool it"),
            )
            return result


def _layer(explainer: Explainer, subject: Subject) -> str | None:
    """The layer that the explainer will look at, where it has one. A wrong name or a model without one is the user's to mend."""
    chooser: Any = getattr(explainer, "layer_for", None)
    if chooser is None:
        return None
    batch = next(iter(subject.split.batches(torch.arange(1), 1)))
    try:
        return str(chooser(subject.loaded.model, batch.inputs))
    except ValueError as error:
        raise UsageError(f"explainer.layer: {error}", hint="explainer.layer=auto") from error


def _metrics(report: ExplainReport, *, labelled: bool) -> dict[str, Metric]:
    empty = int((report.maps.flatten(1).abs().amax(dim=1) == 0).sum())
    right = int((report.predicted == report.targets).sum())
    known = {"explain/accuracy": wilson(right, len(report.targets))} if labelled else {}
    return {**known, "explain/empty_maps": wilson(empty, len(report.targets))}


def _joined(parts: list[ExplainReport]) -> ExplainReport:
    names = ("inputs", "maps", "targets", "predicted", "confidence", "index")
    return ExplainReport(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


def _npz(report: ExplainReport) -> bytes:
    """Raw maps with what they belong to, as a NumPy archive without pickles."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        maps=report.maps.numpy(),
        index=report.index.numpy(),
        predicted=report.predicted.numpy(),
        targets=report.targets.numpy(),
        confidence=report.confidence.numpy(),
    )
    return buffer.getvalue()


def _pictures(run: Run, report: ExplainReport, subject: Subject, name: str, talk: Talk) -> dict[str, str]:
    spec = subject.loaded.model.spec
    if spec.kind != "image":
        return {}
    few = slice(0, SHOWN)
    images = to_uint8(report.inputs[few])
    heat = overlay(images, report.maps[few], alpha=0.7)
    captions = [
        f"{spec.classes[int(predicted)]} {100 * float(confidence):.0f} %"
        + ("" if predicted == target else f", is {spec.classes[int(target)]}")
        for predicted, confidence, target in zip(report.predicted[few], report.confidence[few], report.targets[few], strict=True)
    ]
    talk.picture(terminal.gallery(heat, captions))
    return {"overlays": run.write("plots/overlays.png", image_rows([images, heat], ["image", name], captions))}
