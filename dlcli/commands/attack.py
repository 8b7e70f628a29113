"""``dl attack``: accuracy before and after an attack, beside random noise of the same size."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from torch import nn

from dlcli.commands import attack_report
from dlcli.commands.attack_checks import refuse_keys_of_another, refuse_one_class, refuse_without_gradient
from dlcli.commands.attack_columns import EPSILON, REASON, MovedRows, Moves, movable_columns
from dlcli.commands.attack_figures import Attacked, attack_metrics, labels
from dlcli.commands.attack_files import examples_csv, examples_npz, keeps_examples, rounded_predictions
from dlcli.commands.attack_goals import Goal, read_goal
from dlcli.commands.attack_loop import build_attack, run_attack
from dlcli.commands.attack_pictures import triple
from dlcli.commands.attack_source import for_transfer, load_source
from dlcli.commands.attack_tables import adversarial_rows, change_lines, changes_csv, settled
from dlcli.commands.console import Talk, metrics_table
from dlcli.commands.given_images import largest_batch
from dlcli.commands.models import Loaded
from dlcli.commands.next_steps import after_attack
from dlcli.commands.session import finished, recorded
from dlcli.commands.signals import StopFlag, catching_signals
from dlcli.commands.subject import Subject, load_subject
from dlcli.config.invocation import Invocation
from dlcli.config.schema import AttackSettings
from dlcli.config.stored import as_yaml
from dlcli.contracts import Attack, Metric, Split
from dlcli.errors import UsageError
from dlcli.runs.record import Result
from dlcli.runs.run import Run


@dataclass(frozen=True)
class _Plan:
    """What is attacked, with what, and what for.

    Args:
        name: of the attack, as it was typed: bim is no PGD for who asked for it.
        reason: where the attack's epsilon came from.
        source: the model that the attack looks at; None is the subject's own.
        moves: of a table, its rows and which of their columns may move.
    """

    name: str
    subject: Subject
    chosen: Attack
    reason: str
    goal: Goal | None
    source: Loaded | None
    moves: Moves | None

    @property
    def model(self) -> nn.Module:
        """What is judged, asked as the attack's examples are."""
        own = self.subject.loaded.model
        return own if self.moves is None else MovedRows(own, self.moves)

    @property
    def looked_at(self) -> nn.Module | None:
        """What the attack looks at; None is what is judged."""
        if self.source is None:
            return None
        return self.source.model if self.moves is None else MovedRows(self.source.model, self.moves)

    @property
    def split(self) -> Split:
        """The examples as they are attacked."""
        return self.subject.split if self.moves is None else self.moves.split()

    @property
    def radius(self) -> float | None:
        """Within what a minimum-norm attack's errors count against robust accuracy: the data's default for its norm, if any."""
        threat = self.chosen.threat
        radii = self.subject.loaded.model.spec.epsilon if self.moves is None else EPSILON
        return radii.get(threat.norm) if threat.epsilon is None else None

    @property
    def headline(self) -> str:
        threat = self.chosen.threat
        radius = "" if threat.epsilon is None else f" · epsilon {threat.epsilon:.4g} ({self.reason})"
        if threat.epsilon is None and threat.norm != "spatial":
            radius = " · looks for the nearest error, however far"
        aim = "" if self.goal is None else f" · to be taken for {self.goal.words}"
        return f"{self.name} · {threat.norm}{radius}{aim}"

    @property
    def models(self) -> str:
        judged = self.subject.loaded.name
        return judged if self.source is None else f"{judged}, made on {self.source.name}"


def attack(settings: AttackSettings, invocation: Invocation) -> Result | None:
    """Attacks a model; returns the result, or None for ``--dry-run``."""
    refuse_keys_of_another(settings)
    if settings.study is not None:
        return attack_report.report(settings, invocation)
    talk = Talk.of(invocation)
    started = time.perf_counter()
    with catching_signals() as flag:
        plan = _planned(settings, invocation, talk)
        loaded = plan.subject.loaded
        if invocation.dry_run:
            talk.text(as_yaml(settings).decode())
            talk.line(f"{len(plan.subject.split)} examples would be attacked; nothing was written")
            return None
        name = plan.name
        with recorded(settings, invocation, name=name, parent=loaded.reference, device=plan.subject.device) as run:
            run.describe(
                **({} if plan.goal is None else {"goal": plan.goal.words}),
                **({} if plan.source is None else {"source": plan.source.reference}),
            )
            attacked = _attacked(plan, settings, flag, talk)
            metrics = _metrics(attacked, plan)
            files = _files(run, attacked, plan, settings, talk)
            result = finished(run, invocation, seconds=time.perf_counter() - started, metrics=metrics, files=files)
            report = attacked.report
            title = f"{name} on {plan.models} (n = {len(report.targets)})"
            talk.show(metrics_table(title, metrics, _labels(plan)))
            for line in () if plan.moves is None else change_lines(report, plan.moves, loaded.model.spec):
                talk.line(line)
            talk.line(
                f"cost: {report.forwards} forward and {report.backwards} backward passes of one example · {result.seconds:.1f} s"
            )
            talk.line(f"attack run: {run.path}")
            kind, epsilon = loaded.model.spec.kind, plan.chosen.threat.epsilon
            talk.next_commands(*after_attack(settings, name=name, kind=kind, epsilon=epsilon))
            return result


def _planned(settings: AttackSettings, invocation: Invocation, talk: Talk) -> _Plan:
    subject = load_subject(settings, talk, images=settings.images)
    spec = subject.loaded.model.spec
    refuse_one_class(spec, name=subject.loaded.name)
    moves = _moves(settings, subject, talk)
    source = load_source(settings.source, subject, talk)
    node = settings.attack if source is None else for_transfer(settings.attack, invocation.overrides, talk)
    if moves is None:
        chosen, reason = build_attack(node, spec)
    else:
        chosen, reason = build_attack(node, replace(spec, epsilon=EPSILON), why=REASON)
    if moves is not None and chosen.threat.norm == "spatial":
        raise UsageError(f"{spec.name} is a table, and this attack moves the pixels of images", hint="dl attack pgd")
    typed = invocation.choices.get("attack", "attack")
    plan = _Plan(typed, subject, chosen, reason, read_goal(settings.targeted, spec.classes, chosen), source, moves)
    name = subject.loaded.name if source is None else source.name
    refuse_without_gradient(plan.looked_at or plan.model, chosen, plan.split, name=name, at_most=largest_batch(spec.shape))
    talk.line(plan.headline)
    return plan


def _moves(settings: AttackSettings, subject: Subject, talk: Talk) -> Moves | None:
    """Which columns of a table may move; None for images, which have none. Raises UsageError, DataError."""
    spec = subject.loaded.model.spec
    if spec.kind == "image":
        if settings.immutable:
            raise UsageError(f"--immutable names columns, and {spec.name} holds images", hint="leave out --immutable")
        return None
    if spec.kind != "table":
        raise UsageError(f"dl attack changes images and tables, and {spec.name} holds {spec.kind}s", hint="dl evaluate")
    places = movable_columns(spec, settings.immutable_names)
    talk.line(f"{len(places)} of {len(spec.columns)} columns may move, within what train spans; categories stay as they are")
    return Moves.of(subject.split, spec, places)


def _attacked(plan: _Plan, settings: AttackSettings, flag: StopFlag, talk: Talk) -> Attacked:
    model = plan.subject.loaded.model
    size = min(settings.batch_size, largest_batch(model.spec.shape))
    attacked = run_attack(
        plan.model,
        plan.split,
        plan.chosen,
        batch_size=size,
        seed=settings.seed,
        flag=flag,
        talk=talk,
        goals=plan.goal,
        source=plan.looked_at,
    )
    if plan.moves is not None:
        return settled(attacked, plan.moves, model, batch_size=size)
    rounded = rounded_predictions(model, attacked.report, batch_size=size, device=plan.subject.device)
    return replace(attacked, rounded=rounded)


def _metrics(attacked: Attacked, plan: _Plan) -> dict[str, Metric]:
    """The figures, and of a goal that is one class its number."""
    own = {} if plan.goal is None or plan.goal.number is None else {"attack/goal": Metric(float(plan.goal.number))}
    return {**attack_metrics(attacked, labelled=plan.subject.labelled, radius=plan.radius), **own}


def _labels(plan: _Plan) -> dict[str, str]:
    goal, norm = None if plan.goal is None else plan.goal.words, plan.chosen.threat.norm
    if plan.moves is not None:
        return labels(goal, norm=norm, radius=plan.radius, changed="one column", unit=" in train's ranges")
    return labels(goal, norm=norm, radius=plan.radius, labelled=plan.subject.labelled)


def _files(run: Run, attacked: Attacked, plan: _Plan, settings: AttackSettings, talk: Talk) -> dict[str, str]:
    spec, report, moves, files = plan.subject.loaded.model.spec, attacked.report, plan.moves, {}
    if moves is None:
        null = "random" if plan.chosen.threat.norm == "spatial" else "noise"
        picture = triple(attacked, spec.classes, attack=plan.name, goal=plan.goal, talk=talk, null=null)
        files["triple"] = run.write("plots/triple.png", picture)
    files["examples"] = run.write("examples.csv", examples_csv(attacked, spec.classes))
    if moves is not None:
        files["changes"] = run.write("changes.csv", changes_csv(report, moves, spec))
        report = replace(report, adversarial=adversarial_rows(report, moves).cpu())
    if keeps_examples(report, settings.save_examples):
        files["adversarial"] = run.write("adversarial.npz", examples_npz(report))
    return files
