"""Robustness and explanations, as sections of a report: whatever attack and explain runs measured, drew and wrote."""

from __future__ import annotations

from collections.abc import Iterator

from dlcli.report.dossier import Dossier, Evidence
from dlcli.report.model_results import metrics_table, shots
from dlcli.report.model_summary import threat_of
from dlcli.report.page import Block, Items, Missing, Section, Text


def robustness(dossier: Dossier) -> Section:
    """Returns a part for each attack, with its figures, pictures and files."""
    return _probes(dossier, "attack", "Robustness", "how little must change to fool it", "fgsm")


def explanations(dossier: Dossier) -> Section:
    """Returns a part for each explainer, with its figures, pictures and files."""
    return _probes(dossier, "explain", "Explanations", "what its answers rest on", "gradcam")


def _probes(dossier: Dossier, verb: str, title: str, missing: str, example: str) -> Section:
    runs = dossier.of(verb)
    if not runs and dossier.is_table:
        return Section(title, (Text(f"dl {verb} reads images, and this model reads tables.", "aside"),))
    if not runs:
        return Section(title, (Missing(missing, f"dl {verb} {example} --run {dossier.model.id}"),))
    return Section(title, (), tuple(Section(f"{run.name}{threat_of(run, dossier)}", tuple(_part(run))) for run in runs))


def _part(run: Evidence) -> Iterator[Block]:
    if run.metrics:
        yield metrics_table(f"{run.verb} {run.id}", run.metrics)
    yield from shots(run)
    others = [f"{name}: {path}" for name, path in run.files.items() if name not in run.shots]
    if others:
        yield Text(f"Further files in the folder of {run.verb} {run.id}:", "aside")
        yield Items(tuple(others))
