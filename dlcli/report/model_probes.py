"""Robustness and explanations, as sections of a report: whatever attack and explain runs measured, drew and wrote."""

from __future__ import annotations

from collections.abc import Iterator

from dlcli.report.dossier import Dossier, Evidence
from dlcli.report.model_results import metrics_table, shots
from dlcli.report.model_summary import asked_of, attack_name, threat_of
from dlcli.report.numbers import figure
from dlcli.report.page import Block, Items, Missing, Section, Text


def robustness(dossier: Dossier) -> Section:
    """Returns a part for each attack, with its figures, pictures and files."""
    return _probes(dossier, "attack", "Robustness", "how little must change to fool it", "fgsm")


def explanations(dossier: Dossier) -> Section:
    """Returns a part for each explainer, with its figures, pictures and files."""
    return _probes(dossier, "explain", "Explanations", "what its answers rest on", "gradcam")


def _probes(dossier: Dossier, verb: str, title: str, missing: str, example: str) -> Section:
    runs = dossier.of(verb)
    others = [run for run in dossier.attempts if run.verb != "attack"] if verb == "attack" else []
    said = tuple(Text(_elsewhere(run, dossier)) for run in others)
    if not runs and said:
        return Section(title, said)
    if not runs and dossier.is_table:
        return Section(title, (Text(f"dl {verb} reads images, and this model reads tables.", "aside"),))
    if not runs:
        return Section(title, (Missing(missing, f"dl {verb} {example} --run {dossier.model.id}"),))
    parts = tuple(Section(f"{run.name}{threat_of(run, dossier)}{asked_of(run)}", tuple(_part(run))) for run in runs)
    return Section(title, said, parts)


def _elsewhere(run: Evidence, dossier: Dossier) -> str:
    robust = figure("accuracy", run.metrics["attack/robust_accuracy"])
    other = ", other data" if run.is_shifted else ""
    asked = f"{attack_name(run)}{threat_of(run, dossier)}{asked_of(run)}{other}"
    return f"Robust accuracy under {asked}: {robust}, by evaluate {run.id}; see Results."


def _part(run: Evidence) -> Iterator[Block]:
    if run.metrics:
        yield metrics_table(f"{run.verb} {run.id}", run.metrics)
    yield from shots(run)
    others = [f"{name}: {path}" for name, path in run.files.items() if name not in run.shots]
    if others:
        yield Text(f"Further files in the folder of {run.verb} {run.id}:", "aside")
        yield Items(tuple(others))
