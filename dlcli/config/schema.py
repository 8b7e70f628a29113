"""The roots' keys, types and ranges, and what a command receives. No torch in here."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dlcli.config.label_counts import label_counts, refuse_beside_a_comparison
from dlcli.config.nested import StrategySettings, TrainerSettings, at_least
from dlcli.config.values import mistakes_in
from dlcli.errors import ConfigError

Node = dict[str, Any]
WORKERS_PER_CORE = 8
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Keys that every verb with a run has."""

    name: str | None
    seed: int
    device: str
    workers: int

    def __post_init__(self) -> None:
        at_least(self.seed, 0, "seed")
        at_least(self.workers, 0, "workers")
        cores = os.cpu_count() or 1
        if self.workers > WORKERS_PER_CORE * cores:
            most = WORKERS_PER_CORE * cores
            raise ValueError(f"workers={self.workers}: expected at most {most}, eight for each of this machine's {cores} cores")


@dataclass(frozen=True, kw_only=True)
class FitSettings(Settings):
    """Keys that train and finetune share."""

    limit_train: int | float | None
    overfit: int | None
    fast_dev_run: bool
    lr_find: bool = False
    data: Node
    augment: Node
    loss: Node
    optimizer: Node
    scheduler: Node
    adversary: Node | None = None
    trainer: TrainerSettings

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.overfit, 1, "overfit")
        limit = self.limit_train
        if isinstance(limit, float) and not 0 < limit <= 1:
            raise ValueError(f"limit_train={limit}: a number with a point is a fraction in (0, 1]; a count has none")
        if isinstance(limit, int):
            at_least(limit, 1, "limit_train")


@dataclass(frozen=True, kw_only=True)
class TrainSettings(FitSettings):
    """The root of ``dl train``."""

    model: Node
    study: Node | None = None
    start_from: str | None
    cv: int | str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.folds is None:
            return
        for key in ("start_from", "overfit", "limit_train"):
            if getattr(self, key) is not None:
                raise ValueError(
                    f"cv={self.cv} trains from scratch on all rows but a fold; {key}={getattr(self, key)} has no place"
                )

    @property
    def folds(self) -> tuple[int, int] | None:
        """How many folds, and how often they are dealt out; None without cross-validation. Raises ValueError."""
        if self.cv is None:
            return None
        match = re.fullmatch(r"(\d+)(?:x(\d+))?", str(self.cv))
        folds, repeats = (int(match[1]), int(match[2] or 1)) if match else (0, 0)
        if folds < 2 or repeats < 1:
            raise ValueError(f"cv={self.cv}: expected a number of folds from 2, such as 5, or folds x repeats, such as 5x5")
        return folds, repeats


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings(FitSettings):
    """The root of ``dl finetune``: of a model that ``run`` names, or of a ``backbone`` with published weights."""

    run: str | None
    checkpoint: str
    backbone: str | None
    weights: str
    size: int | None
    labels: int | None
    limit_test: int | None
    baseline: bool
    compare: str | int | list[int] | None
    compare_seeds: int
    strategy: StrategySettings

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("labels", "limit_test", "size"):
            at_least(getattr(self, key), 1, key)
        at_least(self.compare_seeds, 2, "compare_seeds")
        if self.backbone is not None and self.run is not None:
            raise ValueError(f"run={self.run} and backbone={self.backbone} exclude each other: a network starts from one of them")
        if self.published is None:
            for key, default in (("weights", "imagenet"), ("size", None)):
                if getattr(self, key) != default:
                    raise ValueError(f"{key}={getattr(self, key)} belongs to a backbone: --backbone resnet18")
        if self.label_counts is not None:
            refuse_beside_a_comparison(self)

    @property
    def label_counts(self) -> tuple[int, ...] | None:
        """Labels per class to compare at, rising; None without a comparison. Raises ValueError."""
        return None if self.compare is None else label_counts(self.compare)

    @property
    def published(self) -> str | None:
        """The network with published weights that finetuning starts from; None where it starts from a model of ours."""
        if self.backbone is not None:
            return self.backbone
        return self.run.removeprefix("pretrained:") if (self.run or "").startswith("pretrained:") else None  # type: ignore[union-attr]

    @property
    def has_baseline(self) -> bool:
        """Whether a network from scratch is trained beside it: of a backbone, unless that starts from random weights itself."""
        return self.baseline and self.published is not None and not self.is_random and not self.fast_dev_run

    @property
    def is_random(self) -> bool:
        """Whether a backbone starts from random weights, because somebody wants it so."""
        return self.published is not None and self.weights.casefold() == "none"


@dataclass(frozen=True, kw_only=True)
class UseSettings(Settings):
    """Keys of the verbs that use a trained model."""

    run: str | None
    checkpoint: str
    split: Literal["train", "val", "test"]
    limit: int | None
    batch_size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self.limit, 1, "limit")
        at_least(self.batch_size, 1, "batch_size")


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(UseSettings):
    """The root of ``dl evaluate``: of the model's own data, or of other ``data``; also under an ``attack``.

    ``groups`` names the columns whose groups are compared, ``without_groups`` trains a second model that does not read them, and
    ``fail_on`` bounds metrics; see :mod:`dlcli.data.groups` and :mod:`dlcli.metrics.gates` for what they may hold.
    """

    data: Node | None = None
    attack: Node | None = None
    groups: str | None = None
    without_groups: bool = False
    fail_on: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.without_groups and self.groups is None:
            raise ValueError("without_groups leaves the columns of groups out of the model: groups=… names them")


@dataclass(frozen=True, kw_only=True)
class AttackSettings(UseSettings):
    """The root of ``dl attack``; ``images`` names a file or folder in place of the model's own data.

    ``targeted`` is a class, ``random`` or ``least-likely``: what the examples are to be taken for. ``source`` names the model
    that the attack looks at, where it is not the one that is judged. ``save_examples`` None keeps the adversarial examples where
    there are 1,000 or fewer. ``immutable`` names columns of a table that do not change, as a list or with commas between.
    A ``study`` looks at more than one attack, within a ``budget`` of time and ``against`` another model if need be.
    """

    attack: Node
    study: Node | None = None
    images: str | None = None
    budget: str | None = None
    against: str | None = None
    targeted: str | None = None
    save_examples: bool | None = None
    source: str | None = None
    immutable: str | list[str] | None = None

    @property
    def immutable_names(self) -> tuple[str, ...]:
        """The columns that ``immutable`` names."""
        named = self.immutable or []
        return tuple(name.strip() for name in (named.split(",") if isinstance(named, str) else named) if name.strip())


@dataclass(frozen=True, kw_only=True)
class ExplainSettings(UseSettings):
    """The root of ``dl explain``; ``images`` names a file or folder in place of the model's own data.

    A ``study`` looks at the whole model, in place of single examples. ``explained`` is predicted, label, runner-up or a class;
    ``select`` says which examples: worst, uncertain, per-class, random or flipped-by:RUN. ``list_layers`` shows layers alone.
    ``evidence`` None weighs the evidence of maps where that is quick; ``thorough`` more of it; ``require`` fails below a verdict.
    """

    explainer: Node
    study: Node | None = None
    images: str | None = None
    explained: str = "predicted"
    select: str | None = None
    list_layers: bool = False
    evidence: bool | None = None
    thorough: bool = False
    require: Literal["supported", "weak"] | None = None


ROOTS: Mapping[str, type[Settings]] = {
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "finetune": FinetuneSettings,
    "attack": AttackSettings,
    "explain": ExplainSettings,
}


_NESTED: Mapping[str, type] = {"trainer": TrainerSettings, "strategy": StrategySettings}


def settings_of(verb: str, values: Mapping[str, Any]) -> tuple[Settings | None, list[str]]:
    """Returns the typed settings of a root, or None and one line per mistake."""
    root = ROOTS[verb]
    values = dict(values)
    nested = {name: owner for name, owner in _NESTED.items() if name in _fields(root)}
    parts: dict[str, Node | None] = {name: values.pop(name, None) for name in nested}
    converted, mistakes = mistakes_in(values, root, prefix="", ignore=frozenset(nested))
    for name, entry in _fields(root).items():
        value = converted.get(name)
        if str(entry.type).startswith("Node") and value is not None and not isinstance(value, dict):
            mistakes.append(f"{name}={value}: expected a group entry; dl list shows them")
    for name, part in parts.items():
        if part is None:
            continue
        own, more = mistakes_in(part, nested[name], prefix=name)
        mistakes += more
        if not more:
            converted[name], more = _constructed(nested[name], own)
            mistakes += more
    if mistakes:
        return None, mistakes
    return _constructed(root, converted)


def checked_settings(verb: str, values: Mapping[str, Any]) -> Settings:
    """Returns the typed settings of a root. Raises ConfigError with all mistakes."""
    settings, mistakes = settings_of(verb, values)
    if settings is None:
        raise ConfigError(mistakes)
    return settings


def _fields(root: type) -> dict[str, dataclasses.Field[Any]]:
    return {entry.name: entry for entry in dataclasses.fields(root)}


def _constructed(owner: type, values: Mapping[str, Any]) -> tuple[Any, list[str]]:
    try:
        return owner(**values), []
    except ValueError as error:
        return None, [str(error)]
