"""Explainers by name: which fit a model, and what a map of theirs costs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed
from dlcli.config.build import build
from dlcli.config.catalog import entries, read_yaml
from dlcli.contracts import Explainer
from dlcli.errors import UsageError, did_you_mean
from dlcli.randomness import SampleKeys, borrowed_rng


@dataclass(frozen=True)
class Method:
    """An explainer that fits.

    Args:
        seconds: that one map took.
        passes: forward passes through the whole model that one map took; what runs in a part of it alone is not counted.
    """

    name: str
    explainer: Explainer
    seconds: float
    passes: int


def named_methods(names: Sequence[str] | None) -> dict[str, Explainer]:
    """Returns the explainers of these names with the settings of their YAMLs, or all. Raises UsageError for an unknown one."""
    known = entries("explainer")
    for name in names or ():
        if name not in known:
            reason = f"study.methods: there is no explainer '{name}'{did_you_mean(name, known)}"
            raise UsageError(reason, hint="dl list explainers")
    return {name: build("explainer", read_yaml(known[name])) for name in (dict.fromkeys(names) if names else known)}


def fitting_methods(
    methods: Mapping[str, Explainer],
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    seed: int,
    check: Callable[[], None] = lambda: None,
) -> tuple[list[Method], dict[str, str]]:
    """Tries each method on one example; returns those that fit, and why the others do not.

    Args:
        inputs, targets: of one example, (1, …) and int64 (1,).
    """
    fitting, unfit = [], {}
    for name, explainer in methods.items():
        keys = SampleKeys(seed, torch.zeros(1, dtype=torch.int64, device=inputs.device))
        try:
            for _ in range(2):  # the first time imports what it needs
                check()
                with counted_passes(model) as passes, borrowed(model), borrowed_rng():
                    started = time.perf_counter()
                    explainer(model, inputs, targets, rng=keys).cpu()  # waits for the device
                    seconds = time.perf_counter() - started
        except UsageError as error:
            unfit[name] = error.message
        except ValueError as error:
            unfit[name] = str(error)
        else:
            fitting.append(Method(name, explainer, seconds, sum(passes)))
    return fitting, unfit


def within_budget(methods: Sequence[Method], *, maps: int, seconds: float) -> tuple[list[Method], list[Method]]:
    """Returns the methods whose maps can be made in so many seconds together, the cheapest first to be taken, and the others."""
    total, kept = 0.0, set()
    for method in sorted(methods, key=lambda method: method.seconds):
        total += maps * method.seconds
        if total <= seconds:
            kept.add(method.name)
    return [one for one in methods if one.name in kept], [one for one in methods if one.name not in kept]


@contextlib.contextmanager
def counted_passes(model: nn.Module) -> Iterator[list[int]]:
    """Yields a list that gets the number of examples of each forward pass through ``model``, and through copies of it."""
    counts: list[int] = []

    def note(_module: nn.Module, _arguments: object, logits: Tensor) -> None:
        counts.append(len(logits))

    handle = model.register_forward_hook(note)
    try:
        yield counts
    finally:
        handle.remove()
