"""``dl attack``: accuracy before and after an attack, beside random noise of the same size."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from dlcli.attacks.noise import Noise
from dlcli.commands.console import Talk, metrics_table
from dlcli.commands.given_images import largest_batch
from dlcli.commands.session import finished, recorded
from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.commands.subject import Subject, load_subject
from dlcli.config.build import build
from dlcli.config.schema import AttackSettings, Invocation
from dlcli.config.stored import as_yaml
from dlcli.contracts import Attack, DataSpec, Metric
from dlcli.engine.device import memory_errors
from dlcli.engine.perturb import AttackReport, perturb
from dlcli.errors import UsageError
from dlcli.metrics.intervals import mean_interval, wilson
from dlcli.report import terminal
from dlcli.report.images import to_uint8
from dlcli.report.sheet import image_rows
from dlcli.runs.record import Result
from dlcli.runs.run import Run

SHOWN = 6
_LABELS = {
    "attack/clean_accuracy": "clean accuracy",
    "attack/noise_accuracy": "accuracy under random noise of the same size",
    "attack/robust_accuracy": "robust accuracy",
    "attack/success_rate": "success among the correctly classified",
    "attack/mean_distance": "mean size of the changes that succeed",
}


@dataclass(frozen=True)
class Attacked:
    """All batches of one attack as one, and the same attack's null: noise."""

    report: AttackReport
    noise: AttackReport


def attack(settings: AttackSettings, invocation: Invocation) -> Result | None:
    """Attacks a model; returns the result, or None for ``--dry-run``."""
    if settings.study is not None:
        from dlcli.commands import attack_report  # it needs this module

        return attack_report.report(settings, invocation)
    talk = Talk.of(invocation)
    started = time.perf_counter()
    with catching_signals() as flag:
        subject = load_subject(settings, talk, images=settings.images)
        spec = subject.loaded.model.spec
        if spec.kind != "image":
            raise UsageError(f"dl attack changes images, and {spec.name} holds {spec.kind}s", hint="dl evaluate")
        chosen, reason = build_attack(settings.attack, spec)
        threat = chosen.threat
        radius = "" if threat.epsilon is None else f" · epsilon {threat.epsilon:.4g} ({reason})"
        talk.line(f"{type(chosen).__name__} · {threat.norm}{radius}")
        if invocation.dry_run:
            talk.text(as_yaml(settings).decode())
            talk.line(f"{len(subject.split)} examples would be attacked; nothing was written")
            return None
        name = invocation.choices.get("attack", "attack")
        with recorded(settings, invocation, name=name, parent=subject.loaded.reference, device=subject.device) as run:
            size = min(settings.batch_size, largest_batch(spec.shape))
            attacked = run_attack(subject, chosen, batch_size=size, seed=settings.seed, flag=flag, talk=talk)
            metrics = attack_metrics(attacked, labelled=subject.labelled)
            files = _pictures(run, attacked, spec, chosen, talk)
            result = finished(run, invocation, seconds=time.perf_counter() - started, metrics=metrics, files=files)
            report = attacked.report
            talk.show(metrics_table(f"{name} on {subject.loaded.name} (n = {len(report.targets)})", metrics, _LABELS))
            talk.line(
                f"cost: {report.forwards} forward and {report.backwards} backward passes of one example · {result.seconds:.1f} s"
            )
            talk.line(f"attack run: {run.path}")
            talk.next_commands(
                ("dl explain gradcam", "where it looks"), ("dl attack fgsm attack.epsilon=0.1", "a smaller radius")
            )
            return result


def build_attack(node: Mapping[str, Any], spec: DataSpec) -> tuple[Attack, str]:
    """Returns the attack of a node, ``epsilon: auto`` resolved from the data, and where epsilon came from. Raises UsageError."""
    own, reason = dict(node), "as asked for"
    if own.get("epsilon") == "auto":
        norm = str(own.get("norm", "linf"))
        if norm not in spec.epsilon:
            raise UsageError(f"{spec.name} has no default epsilon for norm {norm}", hint="attack.epsilon=NUMBER")
        own["epsilon"], reason = spec.epsilon[norm], f"the default of {spec.name}"
    built = build("attack", own)
    assert isinstance(built, Attack)
    return built, reason


def attack_metrics(attacked: Attacked, *, labelled: bool = True) -> dict[str, Metric]:
    """Returns clean, noise and robust accuracy, success among the correctly classified, and the mean size of what succeeds.

    Without labels there is no accuracy: what is left is how often the clean prediction was changed.
    """
    report, total = attacked.report, len(attacked.report.targets)
    right = report.clean == report.targets
    survived = right & (report.attacked == report.targets)
    fooled = right & ~survived
    metrics: dict[str, Metric] = {}
    if labelled:
        metrics = {
            "attack/clean_accuracy": wilson(int(right.sum()), total),
            "attack/noise_accuracy": wilson(int((attacked.noise.attacked == attacked.noise.targets).sum()), total),
            "attack/robust_accuracy": wilson(int(survived.sum()), total),
        }
    if right.any():
        metrics["attack/success_rate"] = wilson(int(fooled.sum()), int(right.sum()))
    if fooled.any():
        metrics["attack/mean_distance"] = mean_interval(report.distances[fooled])
    metrics["attack/forwards"] = Metric(float(report.forwards), n=total)
    metrics["attack/backwards"] = Metric(float(report.backwards), n=total)
    return metrics


def run_attack(subject: Subject, chosen: Attack, *, batch_size: int, seed: int, flag: StopFlag, talk: Talk) -> Attacked:
    """Attacks the subject's split, and then changes it at random by as much."""
    threat = chosen.threat
    null = Noise(epsilon=threat.epsilon if threat.epsilon is not None else 0.0, norm="l2" if threat.norm == "l2" else "linf")
    what, advice = f"attacking {batch_size} examples at once", f"--batch-size {max(1, batch_size // 4)}"
    reports: list[AttackReport] = []
    with memory_errors(what, advice), talk.progress("examples", 2 * len(subject.split)) as bar:
        for tried in (chosen, null):
            parts: list[AttackReport] = []
            for part in perturb(
                subject.loaded.model,
                tried,
                subject.split,
                batch_size=batch_size,
                seed=seed,
                spare_misclassified=tried is chosen,
                clean=reports[0].clean if tried is null else None,
                check=flag.check,
            ):
                parts.append(part)
                bar.at(sum(len(done.targets) for done in parts) + (len(subject.split) if tried is null else 0))
            reports.append(_joined(parts))
    return Attacked(*reports)


def _joined(parts: list[AttackReport]) -> AttackReport:
    names = ("inputs", "adversarial", "targets", "clean", "attacked", "distances", "index")
    tensors: dict[str, Any] = {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
    forwards, backwards = sum(part.forwards for part in parts), sum(part.backwards for part in parts)
    return AttackReport(**tensors, forwards=forwards, backwards=backwards)


def _pictures(run: Run, attacked: Attacked, spec: DataSpec, chosen: Attack, talk: Talk) -> dict[str, str]:
    """Writes and shows the triple: clean, noise, adversarial; fooled examples first."""
    if spec.kind != "image":
        return {}
    report = attacked.report
    fooled = (report.clean == report.targets) & (report.attacked != report.targets)
    rows = torch.argsort((~fooled).int(), stable=True)[:SHOWN]
    names = spec.classes
    images = [to_uint8(tensor[rows]) for tensor in (report.inputs, attacked.noise.adversarial, report.adversarial)]
    outcomes = (report.clean, attacked.noise.attacked, report.attacked)
    titles = ["clean", "noise", type(chosen).__name__]
    captions = [" / ".join(names[int(outcome[row])] for outcome in outcomes) for row in rows]
    shown = torch.stack(images, dim=1).flatten(0, 1)
    labels = [f"{title}: {names[int(outcome[row])]}" for row in rows[:2] for title, outcome in zip(titles, outcomes, strict=True)]
    talk.picture(terminal.gallery(shown[: len(labels)], labels, columns=3))
    return {"triple": run.write("plots/triple.png", image_rows(images, titles, captions))}
