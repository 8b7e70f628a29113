"""What captum is given in place of the caller's model, and its global draws on a lead.

Captum's hooks leave attributes on modules and cannot live with layers that work in place, so it gets a copy.
"""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dlcli.explainers.evidence import Evidence
from dlcli.explainers.layers import unwrapped
from dlcli.randomness import SampleKeys

_RECTIFIERS = {nn.functional.relu, nn.functional.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}


class ClassLogits(nn.Module):
    """A model asked for one number an example: points (M, …) and examples int64 (M,) in, logits of the classes (M,) out."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__()
        self.model, self.evidence = evidence.model, evidence

    def forward(self, points: Tensor, rows: Tensor) -> Tensor:
        return self.evidence.logits(points, rows)


def own_copy(model: nn.Module) -> nn.Module:
    """Returns a copy of ``model``, uncompiled, in evaluation mode, in which no layer works in place."""
    copied = copy.deepcopy(unwrapped(model)).eval()
    for part in copied.modules():
        if getattr(part, "inplace", False) is True:
            setattr(part, "inplace", False)  # noqa: B010
    return copied


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds torch and NumPy, which captum draws from, hides its notices, and gives NumPy's state back.

    Torch's state is given back by :func:`~dlcli.explainers.evidence.lent`.
    """
    state = np.random.get_state()
    try:
        torch.manual_seed(seed)
        np.random.seed(seed % (1 << 32))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(state)


def seeds(keys: SampleKeys, purpose: str) -> list[int]:
    """Returns a seed for each example, whatever batch it is in."""
    return [int(seed) for seed in keys.integers(purpose, 0, 1 << 31).tolist()]


@dataclass(frozen=True)
class Rectifiers:
    """How a model rectifies in one forward pass.

    Args:
        modules: nn.ReLU modules that ran.
        reused: those that ran more than once.
        functional: calls of a ReLU that belong to no nn.ReLU module.
    """

    modules: int
    reused: int
    functional: int


class _Counting(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.calls += func in _RECTIFIERS
        return func(*args, **(kwargs or {}))


def rectifiers(evidence: Evidence) -> Rectifiers:
    """Watches the first example pass through the model."""
    runs: Counter[nn.Module] = Counter()
    handles = [
        part.register_forward_hook(lambda module, arguments, output: runs.update([module]))
        for part in evidence.model.modules()
        if isinstance(part, nn.ReLU)
    ]
    try:
        with torch.no_grad(), _Counting() as counting:
            evidence.model(evidence.inputs[:1].clone())
    finally:
        for handle in handles:
            handle.remove()
    return Rectifiers(len(runs), sum(count > 1 for count in runs.values()), counting.calls - sum(runs.values()))


def of_copy(model: nn.Module, inputs: Tensor, targets: Tensor) -> Evidence:
    """Returns the examples with a copy of ``model`` that captum may hook. Raises ValueError: not one class per example."""
    evidence = Evidence.of(unwrapped(model), inputs, targets)
    copied = own_copy(model)
    encoders = [part for part in copied.modules() if hasattr(part, "column_slices")]
    return replace(evidence, model=copied, encoder=encoders[0] if evidence.encoder is not None else None)
