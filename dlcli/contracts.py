"""What the rooms agree on. Everything outside a model is in raw units: images float32 in [0, 1], (N, C, H, W).

Letters in shapes: N examples, C channels, H x W pixels, K outputs (K = 1 is one binary logit), P probabilities
(P = 2 where K = 1, else K).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.randomness import SampleKeys


@dataclass(frozen=True)
class Batch:
    """Some examples of a split.

    Args:
        inputs: float32 in raw units, images (N, C, H, W) in [0, 1], tables (N, D).
        targets: class numbers, int64 (N,).
        index: positions in the split, int64 (N,); the key of every random draw for these examples.
    """

    inputs: Tensor
    targets: Tensor
    index: Tensor


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """What a model must know about its data; stored with every checkpoint.

    Args:
        name: the data set's name.
        shape: of one example: (C, H, W) for images, (D,) for tables.
        classes: class names, in the order of their numbers; at least two.
        mean, std: per channel (images) or column (tables), in raw units, measured on the train split.
        kind: "image" or "table"; an open set.
        epsilon: default attack radius per norm ("linf", "l2"), in raw units.
    """

    name: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    kind: str = "image"
    epsilon: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data that JSON can hold."""
        return {**asdict(self), "epsilon": dict(self.epsilon)}

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
    """A data set: its spec and its three parts. Val selects, calibrates and stops; test only reports."""

    spec: DataSpec
    train: Split
    val: Split
    test: Split


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
class Preprocessing:
    """How raw inputs become what a network was trained on; it goes where the weights go.

    Args:
        shape: of one example as the network sees it; images of another height or width are resized (bilinear,
            antialiased), one channel is repeated where the network wants more.
        mean, std: per channel or column, in raw units.
    """

    shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, spec: DataSpec) -> Preprocessing:
        """Returns the preprocessing of a network that is trained on this data from scratch."""
        return cls(spec.shape, spec.mean, spec.std)


class Classifier(nn.Module):
    """Preprocessing and network in one module: raw inputs in, raw logits (N, K) out.

    Preprocessing lives here, so an attack's epsilon, a heat map and an exported file mean what the user thinks.
    The buffers do not enter the state: they are rebuilt from ``preprocessing``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: DataSpec, net: nn.Module, *, preprocessing: Preprocessing | None = None) -> None:
        super().__init__()
        self.spec = spec
        self.net = net
        self.preprocessing = preprocessing or Preprocessing.of(spec)
        trailing = (1,) * (len(spec.shape) - 1)
        self.register_buffer("mean", torch.tensor(self.preprocessing.mean).reshape(1, -1, *trailing), persistent=False)
        self.register_buffer("std", torch.tensor(self.preprocessing.std).reshape(1, -1, *trailing), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.ndim == 4:
            channels, *size = self.preprocessing.shape
            if list(inputs.shape[2:]) != size:
                inputs = nn.functional.interpolate(inputs, size=size, mode="bilinear", antialias=True)
            if inputs.shape[1] == 1 and channels != 1:
                inputs = inputs.expand(-1, channels, -1, -1)
        return self.net((inputs - self.mean) / self.std)  # type: ignore[no-any-return]


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
    """What an attack may change: a norm and a radius in raw units; no radius for minimum-norm attacks."""

    norm: str
    epsilon: float | None


@runtime_checkable
class Attack(Protocol):
    """Frozen keyword-only dataclass of hyper-parameters; no model in the constructor, no state."""

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


def class_logits(logits: Tensor) -> Tensor:
    """Returns logits with one column per class, (N, P): one binary logit z becomes (-z/2, z/2), so softmax gives sigmoid(z)."""
    return torch.cat([-logits / 2, logits / 2], dim=1) if logits.shape[1] == 1 else logits


def probabilities(logits: Tensor) -> Tensor:
    """Returns class probabilities (N, P) of raw logits (N, K)."""
    return class_logits(logits).softmax(dim=1)


def predicted_classes(logits: Tensor) -> Tensor:
    """Returns the predicted class numbers, int64 (N,)."""
    return class_logits(logits).argmax(dim=1)


def keys_or_default(rng: SampleKeys | None, inputs: Tensor) -> SampleKeys:
    """Returns ``rng``, or keys with seed 0 and each row's position as its index."""
    return rng if rng is not None else SampleKeys(0, torch.arange(len(inputs), device=inputs.device))


@contextmanager
def borrowed(model: nn.Module) -> Iterator[None]:
    """Lends a model for attacking or explaining it: evaluation mode (BatchNorm's buffers stay), no parameter gradients.

    Gives back, also after an exception, each module's training flag and each parameter's ``requires_grad`` and ``.grad``.
    """
    modes = [(module, module.training) for module in model.modules()]
    parameters = [(parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    try:
        model.eval()
        for parameter, _, _ in parameters:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, training in modes:
            module.training = training
        for parameter, needed, gradient in parameters:
            parameter.requires_grad_(needed)
            parameter.grad = gradient
