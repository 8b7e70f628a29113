"""``dl attack``: accuracy before and after an attack, beside random noise of the same size."""

from __future__ import annotations

import time
from dataclasses import replace

from dlcli.commands.attack_figures import Attacked, attack_metrics, labels
from dlcli.commands.attack_files import examples_csv, examples_npz, keeps_examples, rounded_predictions
from dlcli.commands.attack_goals import Goal, read_goal
from dlcli.commands.attack_loop import build_attack, run_attack
from dlcli.commands.attack_pictures import triple
from dlcli.commands.console import Talk, metrics_table
from dlcli.commands.given_images import largest_batch
from dlcli.commands.session import finished, recorded
from dlcli.commands.signals import catching_signals
from dlcli.commands.subject import load_subject
from dlcli.config.schema import AttackSettings, Invocation
from dlcli.config.stored import as_yaml
from dlcli.contracts import Attack, DataSpec, Metric
from dlcli.errors import UsageError
from dlcli.runs.record import Result
from dlcli.runs.run import Run


def attack(settings: AttackSettings, invocation: Invocation) -> Result | None:
    """Attacks a model; returns the result, or None for ``--dry-run``."""
    talk = Talk.of(invocation)
    started = time.perf_counter()
    with catching_signals() as flag:
        subject = load_subject(settings, talk, images=settings.images)
        spec = subject.loaded.model.spec
        if spec.kind != "image":
            raise UsageError(f"dl attack changes images, and {spec.name} holds {spec.kind}s", hint="dl evaluate")
        chosen, reason = build_attack(settings.attack, spec)
        goal = read_goal(settings.targeted, spec.classes, chosen)
        talk.line(_headline(chosen, reason, goal))
        if invocation.dry_run:
            talk.text(as_yaml(settings).decode())
            talk.line(f"{len(subject.split)} examples would be attacked; nothing was written")
            return None
        name = invocation.choices.get("attack", "attack")
        with recorded(settings, invocation, name=name, parent=subject.loaded.reference, device=subject.device) as run:
            if goal is not None:
                run.describe(goal=goal.words)
            size = min(settings.batch_size, largest_batch(spec.shape))
            attacked = run_attack(subject, chosen, batch_size=size, seed=settings.seed, flag=flag, talk=talk, goals=goal)
            rounded = rounded_predictions(subject.loaded.model, attacked.report, batch_size=size, device=subject.device)
            attacked = replace(attacked, rounded=rounded)
            metrics = _metrics(attacked, goal, labelled=subject.labelled)
            picture = triple(attacked, spec.classes, attack=type(chosen).__name__, goal=goal, talk=talk)
            files = {"triple": run.write("plots/triple.png", picture), **_example_files(run, attacked, spec, settings)}
            result = finished(run, invocation, seconds=time.perf_counter() - started, metrics=metrics, files=files)
            report = attacked.report
            title = f"{name} on {subject.loaded.name} (n = {len(report.targets)})"
            talk.show(metrics_table(title, metrics, labels(None if goal is None else goal.words)))
            talk.line(
                f"cost: {report.forwards} forward and {report.backwards} backward passes of one example · {result.seconds:.1f} s"
            )
            talk.line(f"attack run: {run.path}")
            talk.next_commands(
                ("dl explain gradcam", "where it looks"), ("dl attack fgsm attack.epsilon=0.1", "a smaller radius")
            )
            return result


def _example_files(run: Run, attacked: Attacked, spec: DataSpec, settings: AttackSettings) -> dict[str, str]:
    files = {"examples": run.write("examples.csv", examples_csv(attacked, spec.classes))}
    if keeps_examples(attacked.report, settings.save_examples):
        files["adversarial"] = run.write("adversarial.npz", examples_npz(attacked.report))
    return files


def _headline(chosen: Attack, reason: str, goal: Goal | None) -> str:
    threat = chosen.threat
    radius = "" if threat.epsilon is None else f" · epsilon {threat.epsilon:.4g} ({reason})"
    aim = "" if goal is None else f" · to be taken for {goal.words}"
    return f"{type(chosen).__name__} · {threat.norm}{radius}{aim}"


def _metrics(attacked: Attacked, goal: Goal | None, *, labelled: bool) -> dict[str, Metric]:
    """The figures, and of a goal that is one class its number."""
    own = {} if goal is None or goal.number is None else {"attack/goal": Metric(float(goal.number))}
    return {**attack_metrics(attacked, labelled=labelled), **own}
