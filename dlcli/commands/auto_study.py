"""``dl explain auto``: which method of explanation has the most evidence on this model, and how far methods agree."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from rich.console import RenderableType

from dlcli.classifier import borrowed, predicted_classes
from dlcli.commands.explain_files import captions
from dlcli.commands.explain_methods import Method, fitting_methods, named_methods, within_budget
from dlcli.commands.explain_study import Findings, Scene, refuse_kind
from dlcli.commands.explain_trust import NULLS
from dlcli.commands.method_ranking import (
    Ranked,
    agreement,
    named_reason,
    ranked,
    ranking_csv,
    ranking_metrics,
    ranking_table,
    ranking_words,
)
from dlcli.errors import UsageError
from dlcli.report import terminal
from dlcli.report.agreement import agreement_plot
from dlcli.report.images import overlay, to_uint8
from dlcli.report.sheet import image_blocks

_LOOKS = 3  # at each example with each method: itself, the second likeliest class, the network without training
_DRAWN = 8  # methods in the picture, at most
_PATIENCE = 20.0  # seconds that nobody has to be told of


@dataclass(frozen=True, kw_only=True)
class MethodRanking:
    """All methods that fit a model, by the share of their maps that is supported; see :mod:`dlcli.metrics.trust`.

    Args:
        examples: of the split; at least 2.
        methods: names of explainers, a list or with commas; None: all that fit.
        steps: of the insertion and deletion curves; at least 1.
        budget: seconds for the maps of all methods; the dearest are left out, unless they were named; above 0.
        shown: images in the picture of the best methods; at least 1.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"

    examples: int = 16
    methods: str | list[str] | None = None
    steps: int = 16
    budget: float = 120.0
    shown: int = 6

    def __post_init__(self) -> None:
        for name, least in (("examples", 2), ("steps", 1), ("shown", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not self.budget > 0:
            raise ValueError(f"budget must be above 0 seconds, got {self.budget}")

    def check(self, scene: Scene) -> None:
        """Raises what calling it raises, before anything is explained."""
        refuse_kind(scene, "auto", "image")
        if len(scene.subject.split) < 2:
            raise UsageError("dl explain auto needs 2 examples or more, got 1", hint="a larger --limit")
        named_methods(self._names)

    def __call__(self, scene: Scene) -> Findings:
        """Returns ``explain/supported/METHOD``, ``percentile`` and ``false_trust_rate``, and the mean ``explain/agreement``.

        Raises:
            UsageError: no images, no such method, or none that fits.
        """
        self.check(scene)
        subject = replace(scene.subject, split=scene.subject.split.select(scene.rows(self.examples)))
        methods, left_out = self._methods(replace(scene, subject=subject))
        found = ranked(methods, subject, batch_size=scene.batch_size, seed=scene.seed, steps=self.steps, check=scene.check)
        agreeing = agreement(found)
        names = [one.method.name for one in found]
        title = f"how far maps agree, n = {len(agreeing)}, best first"
        best = found[0]
        sheet, shown = _pictures(found, self.shown, scene.model.spec.classes)
        return Findings(
            metrics=ranking_metrics(found, agreeing),
            arrays={
                "methods": names,
                "agreement": agreeing,
                "supported": torch.stack([one.supported for one in found]),
                "percentile": torch.stack([one.faith.percentile() for one in found]),
                "margin": torch.stack([one.faith.margin() for one in found]),
                "maps": best.report.maps,
                "index": best.report.index,
            },
            pictures={"agreement": agreement_plot(agreeing.mean(dim=0), names, title=title), "methods": sheet},
            shown=shown,
            tables=[(f"methods by their evidence, {len(agreeing)} {scene.split} images", ranking_table(found))],
            files={"ranking.csv": ranking_csv(found)},
            words=ranking_words(found, agreeing, left_out),
            following=((f"dl explain {best.method.name}", "its maps, each with its evidence"),),
        )

    @property
    def _names(self) -> list[str] | None:
        names = self.methods.split(",") if isinstance(self.methods, str) else self.methods
        return None if names is None else [name.strip() for name in names]

    def _methods(self, scene: Scene) -> tuple[list[Method], dict[str, str]]:
        """Those that are weighed, and why others are not. Raises UsageError where none is left."""
        batch = scene.batch(1)
        with borrowed(scene.model), torch.no_grad():
            predicted = predicted_classes(scene.model(batch.inputs))
        explainers = named_methods(self._names)
        methods, left_out = fitting_methods(explainers, scene.model, batch.inputs, predicted, seed=scene.seed, check=scene.check)
        count = len(scene.subject.split)
        if self._names is None:
            methods, dear = within_budget(methods, maps=_LOOKS * count, seconds=self.budget)
            left_out |= {one.name: _dear(one, _LOOKS * count * one.seconds) for one in dear}
        if not methods:
            reason = "; ".join(named_reason(name, why) for name, why in left_out.items())
            raise UsageError(f"no method is left to rank: {reason}", hint="study.methods=[saliency,occlusion]")
        scene.tell(f"{len(methods)} methods, {count} images each: {', '.join(one.name for one in methods)}")
        need = 4 * count * (len(methods) + NULLS + 2) * (self.steps + 1) * _pace(scene)
        if need > _PATIENCE:
            scene.tell(f"weighing takes about {need / 60:.1f} min; study.examples={max(2, count // 4)} a quarter of that")
        return methods, left_out


def _dear(method: Method, seconds: float) -> str:
    return f"its maps take about {seconds:.1f} s; study.methods=[{method.name}] or a larger study.budget"


def _pace(scene: Scene) -> float:
    """Seconds of a forward pass of one image among all, measured."""
    batch = scene.batch(len(scene.subject.split))
    with borrowed(scene.model), torch.no_grad():
        scene.model(batch.inputs).cpu()  # the first pass of all is slower
        started = time.perf_counter()
        scene.model(batch.inputs).cpu()  # waits for the device
    return (time.perf_counter() - started) / len(batch.inputs)


def _pictures(found: Sequence[Ranked], count: int, classes: Sequence[str]) -> tuple[bytes, list[RenderableType]]:
    """The first images with the maps of the best methods; the best one's for the terminal."""
    best = found[0].report
    count = min(count, len(best.maps))
    images = to_uint8(best.inputs[:count])
    heat = [overlay(images, one.report.maps[:count], alpha=0.7) for one in found[:_DRAWN]]
    said = captions(best, classes, labelled=True)[:count]
    words = [f"{own}\n{verdict.word}" for own, verdict in zip(said, found[0].verdicts, strict=False)]
    names = [one.method.name for one in found[:_DRAWN]]
    return image_blocks([images, *heat], ["image", *names], said, columns=count), [terminal.gallery(heat[0], words)]
