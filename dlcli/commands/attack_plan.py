"""What ``dl attack`` is about to do: the model, the examples, the attack and its aim."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from dlcli.commands.attack_checks import refuse_one_class, refuse_without_gradient
from dlcli.commands.attack_columns import EPSILON, REASON, MovedRows, Moves, movable_columns
from dlcli.commands.attack_goals import Goal, read_goal
from dlcli.commands.attack_loop import build_attack
from dlcli.commands.attack_source import for_transfer, load_source
from dlcli.commands.console import Talk
from dlcli.commands.given_images import largest_batch
from dlcli.commands.models import Loaded
from dlcli.commands.subject import Subject, load_subject
from dlcli.config.invocation import Invocation
from dlcli.config.schema import AttackSettings
from dlcli.contracts import Attack, Split
from dlcli.errors import UsageError


@dataclass(frozen=True)
class Plan:
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


def planned(settings: AttackSettings, invocation: Invocation, talk: Talk) -> Plan:
    """Returns what the settings ask for, everything loaded, and says it. Raises UsageError, DataError, ConfigError."""
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
    plan = Plan(typed, subject, chosen, reason, read_goal(settings.targeted, spec.classes, chosen), source, moves)
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
