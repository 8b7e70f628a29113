"""What the rooms agree on. Everything outside a model is in raw units: images float32 in [0, 1], (N, C, H, W).

Letters in shapes: N examples, C channels, H x W pixels, K outputs (K = 1 is one binary logit), P probabilities
(P = 2 where K = 1, else K).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.randomness import SampleKeys


@dataclass(frozen=True)
class Batch:
    """Some examples of a split.

    Args:
        inputs: float32 in raw units, images (N, C, H, W) in [0, 1], tables (N, D).
        targets: class numbers, int64 (N,); after an augmentation that mixes examples the share of each class, float32 (N, P).
        index: positions in the split, int64 (N,); the key of every random draw for these examples.
    """

    inputs: Tensor
    targets: Tensor
    index: Tensor


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Args:
        name: as in the file's header.
        categories: the values of a category column; code 1 … k in this order, 0 for a value not among them. Empty for numbers.
        low, high: the range seen in train, in the column's units; None for categories, and where it is not known.
    """

    name: str
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Column:
        """Returns the column whose fields are ``values``. Raises KeyError, TypeError or ValueError on anything else."""
        low, high = (None if values[name] is None else float(values[name]) for name in ("low", "high"))
        return cls(name=str(values["name"]), categories=tuple(map(str, values["categories"])), low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """What a model must know about its data; stored with every checkpoint.

    Args:
        name: the data set's name.
        shape: of one example: (C, H, W) for images, (D,) for tables.
        classes: class names, in the order of their numbers; at least two.
        mean, std: per channel (images) or column (tables; 0 and 1 for categories), in raw units, measured on the train split.
        kind: "image" or "table"; an open set.
        epsilon: default attack radius per norm ("linf", "l2"), in raw units; empty where there is no sensible one.
        columns: of a table, one per position in an example; empty for images.
    """

    name: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    kind: str = "image"
    epsilon: Mapping[str, float]
    columns: tuple[Column, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data that JSON can hold."""
        plain = {**asdict(self), "epsilon": dict(self.epsilon)}
        return plain if self.columns else {name: value for name, value in plain.items() if name != "columns"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataSpec:
        """Returns the spec that :meth:`to_dict` wrote. Raises KeyError, TypeError or ValueError on anything else."""
        return cls(
            name=str(values["name"]),
            shape=tuple(int(size) for size in values["shape"]),
            classes=tuple(str(name) for name in values["classes"]),
            mean=tuple(float(value) for value in values["mean"]),
            std=tuple(float(value) for value in values["std"]),
            kind=str(values["kind"]),
            epsilon={str(norm): float(value) for norm, value in values["epsilon"].items()},
            columns=tuple(map(Column.from_dict, values.get("columns", ()))),
        )


class Split(Protocol):
    """A train, val or test part of a data set."""

    @property
    def targets(self) -> Tensor:
        """Class numbers of all examples, int64 (N,)."""

    def __len__(self) -> int: ...

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Yields the examples at positions ``order`` (int64) in that order, ``size`` at a time, the last one shorter."""

    def select(self, rows: Tensor) -> Split:
        """Returns the part with the examples at ``rows``; they keep their original ``index``."""

    def to(self, device: torch.device) -> Split:
        """Returns the split with its batches on ``device``."""


@dataclass(frozen=True)
class DataBundle:
    """A data set: its spec and its parts. Val selects, calibrates and stops; test only reports.

    Without val, training runs to its end and keeps the last weights; without test, the result has no ``test/…`` figure.

    Args:
        notes: what a reader noticed and people should know, one line each.
        digest: of the whole parts, before a run takes some of their examples; empty where nobody asked.
    """

    spec: DataSpec
    train: Split
    val: Split | None
    test: Split | None
    notes: tuple[str, ...] = ()
    digest: str = ""


class DataSource(ABC):
    """Knows where a data set lies and how to read it. Subclasses are frozen dataclasses with the YAML's keys as fields."""

    @abstractmethod
    def load(self) -> DataBundle:
        """Reads and checks the data. Raises DataError (content) or StorageError (missing, unreadable)."""


class Augment(ABC):
    """Changes training inputs at random, in raw units, on the device, keyed by example and step."""

    @abstractmethod
    def __call__(self, inputs: Tensor, *, rng: SampleKeys, step: int) -> Tensor:
        """Returns augmented inputs, same shape, still in range; ``inputs`` stays as it is."""

    def batch(self, batch: Batch, *, rng: SampleKeys, step: int) -> Batch:
        """Returns the augmented batch. What mixes examples (mixup, cutmix) overrides this; its targets are shares (N, P)."""
        return replace(batch, inputs=self(batch.inputs, rng=rng, step=step))


@dataclass(frozen=True, kw_only=True)
class Schedule(ABC):
    """Learning-rate multiplier over a run of ``total_steps`` optimizer steps, which are given at build time."""

    total_steps: int

    @abstractmethod
    def __call__(self, step: int) -> float:
        """Returns the multiplier for optimizer step ``step`` in [0, total_steps)."""


@dataclass(frozen=True)
class Loss:
    """What an objective gives the engine: the scalar to minimise, and the logits (N, K) it saw (for accuracy)."""

    value: Tensor
    logits: Tensor


class Objective(ABC):
    """What a training step minimises. The engine alone owns backward, clipping, the finite check and the step."""

    @abstractmethod
    def __call__(self, model: nn.Module, batch: Batch, *, rng: SampleKeys, step: int) -> Loss:
        """Returns the loss of ``batch``; must not change the model but through the engine's backward pass."""


@dataclass(frozen=True)
class Predictions:
    """Outputs of a whole split, on the CPU: logits float32 (N, K), targets int64 (N,), index int64 (N,)."""

    logits: Tensor
    targets: Tensor
    index: Tensor


@dataclass(frozen=True)
class Metric:
    """A number with its uncertainty.

    Args:
        low, high: the 95 % interval of ``value``; None where unknown.
        n: examples that it rests on.
        method: how the interval was made ("wilson", "bootstrap", "t"); None without one.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    method: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data for ``result.json``; non-finite numbers become None."""
        values = asdict(self)
        return {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()}


@dataclass(frozen=True)
class Threat:
    """What an attack may change.

    Args:
        norm: "linf" or "l2"; "spatial" where pixels move in place of changing, so there is no ball and sizes are given in L2.
        epsilon: the radius in raw units; None for minimum-norm and for spatial attacks.
    """

    norm: str
    epsilon: float | None


@runtime_checkable
class Attack(Protocol):
    """Frozen keyword-only dataclass of hyper-parameters; no model in the constructor, no state.

    One that cannot serve goals says so with ``aims: ClassVar[bool] = False``.
    """

    kind: ClassVar[str]

    @property
    def threat(self) -> Threat: ...

    def __call__(
        self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None, goals: Tensor | None = None
    ) -> Tensor:
        """Returns adversarial inputs, same shape, inside the box and the threat's ball; ``goals`` are target classes."""


@runtime_checkable
class Explainer(Protocol):
    """Frozen keyword-only dataclass of hyper-parameters. Hooks never outlive the call."""

    kind: ClassVar[str]

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns raw signed maps for the classes ``targets``, float32, (N, H, W) at input size or (N, D)."""


def keys_or_default(rng: SampleKeys | None, inputs: Tensor) -> SampleKeys:
    """Returns ``rng``, or keys with seed 0 and each row's position as its index."""
    return rng if rng is not None else SampleKeys(0, torch.arange(len(inputs), device=inputs.device))
