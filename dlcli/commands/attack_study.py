"""``dl attack report``: its settings, and what they come to for a model's data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, get_args

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.balls import Norm, check_epsilon
from dlcli.commands.attack_budget import seconds_of
from dlcli.commands.attack_chain import Effort
from dlcli.commands.attack_loop import build_attack
from dlcli.commands.subject import Subject
from dlcli.config.build import build
from dlcli.config.invocation import Invocation
from dlcli.config.schema import AttackSettings
from dlcli.contracts import DataSpec
from dlcli.errors import UsageError
from dlcli.models.disguise import Disguise, disguised

_THREAT = ("attack.epsilon=", "attack.norm=")


@dataclass(frozen=True, kw_only=True)
class RobustnessReport:
    """A look at how a model stands attacks: all of them, the worst case of each example, and whether to believe it.

    Args:
        epsilon: radius in raw units.
        norm: "linf" or "l2".
        steps: gradient steps of AutoPGD, and of AutoPGD and FAB for each class.
        targets: wrong classes to try, the likeliest first.
        queries: of Square attack.
        reach: the curve goes up to so many times ``epsilon``; at least 1.
        rungs: radii of the curve; at least 2.
        probes: examples on which the masking checks run PGD at several radii; at least 1.
        certify: examples, drawn at random, that randomized smoothing certifies in L2; 0 = none.
        sigma: of the noise that it smooths with, in raw units; above 0.
        draws: votes that a certificate rests on; at least 1.
        disguise: hides the gradient first, which makes no model more robust: the verdict must see it. None: the model as it is.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"

    epsilon: float
    norm: Norm = "linf"
    steps: int = 100
    targets: int = 9
    queries: int = 5000
    reach: float = 2.0
    rungs: int = 12
    probes: int = 100
    certify: int = 50
    sigma: float = 0.25
    draws: int = 1000
    disguise: Disguise | None = None

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.norm)
        check_counts(steps=self.steps, targets=self.targets, queries=self.queries, probes=self.probes, draws=self.draws)
        if not self.reach >= 1:
            raise ValueError(f"reach must be at least 1, got {self.reach}")
        if self.rungs < 2:
            raise ValueError(f"rungs must be at least 2, got {self.rungs}")
        if self.certify < 0:
            raise ValueError(f"certify must be at least 0, got {self.certify}")
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma must be above 0, got {self.sigma}")
        if self.disguise is not None and self.disguise not in get_args(Disguise):
            raise ValueError(f"disguise must be one of {', '.join(get_args(Disguise))}, got {self.disguise!r}")

    def seen_by(self, subject: Subject) -> Subject:
        """Returns what is attacked: the subject itself, or its model in disguise."""
        if self.disguise is None:
            return subject
        loaded = subject.loaded
        hiding = replace(loaded, model=disguised(loaded.model, self.disguise), name=f"{loaded.name} ({self.disguise})")
        return replace(subject, loaded=hiding)

    @property
    def effort(self) -> Effort:
        """How hard the attacks try."""
        own = asdict(self)
        return Effort(**{name: own[name] for name in ("epsilon", "norm", "steps", "targets", "queries", "reach", "rungs")})


def study_for(settings: AttackSettings, invocation: Invocation, spec: DataSpec) -> tuple[RobustnessReport, AttackSettings, str]:
    """Returns the study for data, the settings with its radius in numbers, and where the radius came from.

    ``attack.epsilon`` and ``attack.norm`` say what they say of every attack. Raises UsageError for what a report would ignore,
    and where the data have no default radius.
    """
    assert settings.study is not None
    if settings.budget is not None:
        _refuse_no_time(settings.budget)
    refuse_images(settings)
    if spec.kind != "image":
        raise UsageError(f"dl attack report changes images, and {spec.name} holds {spec.kind}s", hint=_instead(spec))
    typed = [text for text in invocation.overrides if text.lstrip("+").startswith("attack")]
    ignored = next((text for text in typed if not text.startswith(_THREAT)), None)
    if ignored is not None:
        reason = f"a report has attacks of its own: {ignored} has no place"
        raise UsageError(reason, hint="study.steps=…, study.norm=l2 or study.epsilon=…; --cfg job shows all")
    node = dict(settings.study)
    node |= {text.split("=")[0][len("attack.") :]: settings.attack[text.split("=")[0][len("attack.") :]] for text in typed}
    threat = {"epsilon": node["epsilon"], "norm": node["norm"]}
    noise, reason = build_attack({"_target_": "dlcli.attacks.noise.Noise", **threat}, spec)
    if not noise.threat.epsilon:
        raise UsageError("a report needs a radius above 0", hint="study.epsilon=0.1")
    node["epsilon"] = noise.threat.epsilon
    study = build("study", node)
    assert isinstance(study, RobustnessReport)
    shown = {**settings.attack, "epsilon": study.epsilon, "norm": study.norm}
    return study, replace(settings, study=node, attack=shown), reason


def refuse_images(settings: AttackSettings) -> None:
    """Raises UsageError for images without labels."""
    if settings.images is not None:
        raise UsageError("a report needs labels, and --images brings none", hint="dl attack fgsm --images, or leave it out")


def _instead(spec: DataSpec) -> str:
    """What attacks data that are no images, if anything does."""
    return "dl attack pgd, or dl attack fab_t attack.norm=l2" if spec.kind == "table" else "dl evaluate"


def _refuse_no_time(budget: str) -> None:
    try:
        seconds_of(budget)
    except ValueError as error:
        raise UsageError(str(error), hint="--budget 60s") from error
