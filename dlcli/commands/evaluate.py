"""``dl evaluate``: what a trained model is worth on a split it has not seen."""

from __future__ import annotations

import time

from dlcli.commands.attack_loop import build_attack, run_attack
from dlcli.commands.console import Talk
from dlcli.commands.evaluate_tables import class_table, decision_table, robust_table, summary_table
from dlcli.commands.gates import read_gates, stop_at_gates
from dlcli.commands.groups import group_report, read_groups
from dlcli.commands.measure import Measured, measured, predictions_csv
from dlcli.commands.mistakes import mistakes_picture, show_predictions
from dlcli.commands.next_steps import after_evaluate
from dlcli.commands.robust import robust_metrics
from dlcli.commands.session import finished, recorded
from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.commands.subject import Subject, load_subject
from dlcli.config.invocation import Invocation
from dlcli.config.schema import EvaluateSettings
from dlcli.config.stored import as_yaml
from dlcli.contracts import Attack, Metric
from dlcli.engine.device import memory_errors
from dlcli.engine.evaluate import evaluate as evaluate_split
from dlcli.engine.evaluate import joined
from dlcli.errors import UsageError
from dlcli.metrics.accuracy import confusion_matrix
from dlcli.metrics.calibration import reliability
from dlcli.report import plots, terminal
from dlcli.runs.record import Result
from dlcli.runs.run import Run


def evaluate(settings: EvaluateSettings, invocation: Invocation) -> Result | None:
    """Measures a model; returns the result, or None for ``--dry-run``."""
    talk = Talk.of(invocation)
    started = time.perf_counter()
    with catching_signals() as flag:
        subject = load_subject(settings, talk, other=settings.data)
        attack = _attack(settings, subject)
        groups = read_groups(settings, subject)
        gates = read_gates(settings, subject, groups)
        if invocation.dry_run:
            talk.text(as_yaml(settings).decode())
            talk.line(f"{len(subject.split)} forward passes; nothing was written")
            return None
        loaded = subject.loaded
        with recorded(settings, invocation, name=loaded.name, parent=loaded.reference, device=subject.device) as run:
            found = _measured(subject, settings, flag)
            metrics = {**found.metrics}
            if attack is not None:
                size, model = settings.batch_size, loaded.model
                attacked = run_attack(model, subject.split, attack, batch_size=size, seed=settings.seed, flag=flag, talk=talk)
                radius = loaded.model.spec.epsilon.get(attack.threat.norm) if attack.threat.epsilon is None else None
                metrics |= robust_metrics(attacked, classes=len(loaded.model.spec.classes), radius=radius)
            files = _files(run, subject, found)
            report = None if groups is None else group_report(settings, subject, groups, found, flag=flag, talk=talk)
            if report is not None:
                metrics |= report.metrics
                files["groups"] = run.write("groups.json", report.content)
            result = finished(run, invocation, seconds=time.perf_counter() - started, metrics=metrics, files=files)
            _tell(subject, found, metrics, settings, talk)
            if attack is not None:
                name = invocation.choices.get("attack", "the attack") + ("" if radius is None else f" within {radius:.4g}")
                talk.show(robust_table(name, loaded.model.spec.classes, metrics, split=settings.split))
            if report is not None:
                talk.show(report.tables)
            talk.line(f"evaluate run: {run.path} · {result.seconds:.1f} s")
            kind = loaded.model.spec.kind
            seen = (kind,) if report is None else ("groups", kind)
            talk.next_commands(*(after_evaluate(settings) if kind == "image" else ()), seen=seen)
        stop_at_gates(gates, metrics)
        return result


def _attack(settings: EvaluateSettings, subject: Subject) -> Attack | None:
    """The attack that ``--attack`` names, or None. Raises UsageError."""
    if settings.attack is None:
        return None
    spec = subject.loaded.model.spec
    if spec.kind != "image":
        raise UsageError(f"--attack changes images, and {spec.name} holds {spec.kind}s", hint="dl evaluate without --attack")
    return build_attack(settings.attack, spec)[0]


def _measured(subject: Subject, settings: EvaluateSettings, flag: StopFlag) -> Measured:
    what, advice = (
        f"evaluating {settings.batch_size} examples at once",
        f"--batch-size {max(1, settings.batch_size // 4)}",
    )
    model = subject.loaded.model
    with memory_errors(what, advice):
        parts = evaluate_split(model, subject.split, batch_size=settings.batch_size, check=flag.check)
        predictions = joined(parts)
    stored = subject.loaded.checkpoint.calibration
    return measured(predictions, model.spec.classes, split=settings.split, stored=stored)


def _files(run: Run, subject: Subject, found: Measured) -> dict[str, str]:
    classes = subject.loaded.model.spec.classes
    confusion = confusion_matrix(found.predictions, len(classes))
    scaled = None if found.calibration is None else reliability(found.calibration.scaled(found.predictions))
    pictures = {
        "confusion": plots.confusion_plot(confusion, classes),
        "reliability": plots.reliability_plot(
            reliability(found.predictions), calibrated=scaled, positive=classes[1] if len(classes) == 2 else None
        ),
        "mistakes": mistakes_picture(subject.split, found.scaled, classes),
    }
    files = {name: run.write(f"plots/{name}.png", data) for name, data in pictures.items() if data is not None}
    return files | {"predictions": run.write("predictions.csv", predictions_csv(found, classes))}


def _tell(subject: Subject, found: Measured, metrics: dict[str, Metric], settings: EvaluateSettings, talk: Talk) -> None:
    classes, split = subject.loaded.model.spec.classes, settings.split
    title = f"{subject.loaded.name} on {split} (n = {len(found.predictions.targets)})"
    talk.show(summary_table(title, metrics, split=split))
    if found.calibration is None:
        talk.line("not calibrated: nothing was fitted to validation data for this checkpoint")
    talk.show(class_table(classes, metrics, split=split))
    if len(classes) == 2:
        talk.show(decision_table(classes[1], metrics, split=split))
    talk.picture(terminal.confusion_picture(confusion_matrix(found.predictions, len(classes)), classes))
    if talk.shows_pictures:
        show_predictions(subject.split, found.scaled, classes, talk)
