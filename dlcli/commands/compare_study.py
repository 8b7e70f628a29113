"""``dl explain compare``: the same images explained on two models, such as before and after adversarial training."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from rich.console import RenderableType
from torch import Tensor

from dlcli.classifier import Classifier
from dlcli.commands.console import Talk
from dlcli.commands.explain_files import joined
from dlcli.commands.explain_study import Findings, Scene, refuse_kind
from dlcli.commands.map_pair import MapPair, pairs_csv, words_of
from dlcli.commands.models import load_model, refuse_mixed_parts
from dlcli.commands.untrained import untrained
from dlcli.contracts import Explainer, Split
from dlcli.engine.attribute import ExplainReport, attribute
from dlcli.errors import UsageError
from dlcli.explainers.gradcam import GradCAM
from dlcli.report import terminal
from dlcli.report.images import difference_colors, overlay, to_uint8, unit_maps
from dlcli.report.sheet import image_blocks

_WINDOW = 11  # pixels a side that SSIM needs
_IN_TERMINAL = 4


@dataclass(frozen=True, kw_only=True)
class MapComparison:
    """Maps of two models for the same images and, where both know the same classes, for the true class; else for each one's own.

    How alike two maps are is Spearman's correlation of their sizes, beside that of maps of different images, and their SSIM.
    How sparse they are is the Gini index. Adversarial training makes maps sparser (Chalasani et al. 2020).

    Args:
        examples: of the split; at least 2.
        against: the other model; None: the one that this one was made from, else its network without training.
        shown: images in the picture; at least 1.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"
    makes_maps: ClassVar[bool] = True

    examples: int = 256
    against: str | None = None
    shown: int = 8

    def __post_init__(self) -> None:
        for name, least in (("examples", 2), ("shown", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    def check(self, scene: Scene) -> None:
        """Raises what calling it raises, before anything is explained."""
        _, other = self._other(scene)
        chooser: Any = getattr(scene.explainer, "layer_for", None)
        if chooser is None:
            return
        one = scene.batch(1).inputs
        for model in (scene.model, other):
            try:
                chooser(model, one)
            except ValueError as error:
                raise UsageError(f"explainer.layer: {error}", hint="--layer auto, or one that both models have") from error

    def __call__(self, scene: Scene) -> Findings:
        """Returns ``explain/rank_correlation``, ``ssim``, ``sparsity`` and ``accuracy``, those of the other with ``_against``.

        Raises:
            UsageError: no images, there is no such model, or it reads other images.
            DataError: the other model's run is damaged.
        """
        label, other = self._other(scene)
        split = scene.subject.split.select(scene.rows(self.examples))
        same = other.spec.classes == scene.model.spec.classes
        explainer = scene.explainer or GradCAM()
        before, after = (_maps(scene, model, explainer, split, labels=same) for model in (other, scene.model))
        own = scene.subject.loaded.name
        names = (label, own if own != label else f"{own} ({scene.subject.loaded.reference})")
        pair = MapPair(before, after, names, comparable=same)
        title = f"{type(explainer).__name__} of {'the true class' if same else 'the class that each predicts'}"
        against = "" if self.against is None else f" --against {shlex.quote(self.against)}"
        another = "saliency" if isinstance(explainer, GradCAM) else "gradcam"
        sheet, shown = _pictures(pair, self.shown, scene.model.spec.classes)
        return Findings(
            metrics=pair.metrics,
            arrays={"maps": after.maps, "maps_against": before.maps, "index": after.index, "targets": after.targets},
            pictures={"compare": sheet},
            shown=shown,
            files={"pairs.csv": pairs_csv(pair, scene.model.spec.classes, other.spec.classes)},
            words=[f"{names[1]} against {names[0]}, {title}, n = {len(after.maps)}", *words_of(pair)],
            following=(
                (f"dl explain compare explainer={another}{against}", "the same by another method"),
                (f"dl attack report{against or ' --against RUN'}", "which of two models stands more"),
            ),
        )

    def _other(self, scene: Scene) -> tuple[str, Classifier]:
        """The other model and what it is called. Raises UsageError where it cannot read these images."""
        refuse_kind(scene, "compare", "image")
        if len(scene.subject.split) < 2:
            raise UsageError("dl explain compare needs 2 examples or more, got 1", hint="a larger --limit")
        loaded = scene.subject.loaded
        reference = self.against or loaded.parent
        if reference is None:
            return "its network without training", untrained(loaded, seed=scene.seed)
        found = load_model(reference, which="best", device=scene.subject.device, talk=Talk(quiet=True))
        own, spec = loaded.model.spec, found.model.spec
        if spec.kind != own.kind or (own.shape[0] != spec.shape[0] and found.model.preprocessing.shape[0] == 1):
            reason = f"--against {reference} reads {spec.name} ({spec.kind}s of {' x '.join(map(str, spec.shape))})"
            raise UsageError(f"{reason}, and these are {own.name}", hint="--against a model that reads the same images")
        if found.data:
            refuse_mixed_parts(loaded.data, found.data, reference=reference)
        return found.name if found.name != loaded.name else f"{found.name} ({found.reference})", found.model


def _maps(scene: Scene, model: Classifier, explainer: Explainer, split: Split, *, labels: bool) -> ExplainReport:
    def explained(chances: Tensor, targets: Tensor) -> Tensor:
        return targets if labels else chances.argmax(dim=1)

    parts = attribute(
        model, explainer, split, batch_size=scene.batch_size, seed=scene.seed, explained=explained, check=scene.check
    )
    return joined(list(parts))


def _pictures(pair: MapPair, count: int, classes: Sequence[str]) -> tuple[bytes, list[RenderableType]]:
    """Images, both maps and their difference, from the most alike to the least, evenly spaced by rank; the same in short."""
    order = pair.alike.argsort(descending=True, stable=True)
    rows = order[torch.linspace(0, len(order) - 1, min(count, len(order))).round().long()]
    images = to_uint8(pair.after.inputs[rows])
    maps = [unit_maps(report.maps[rows]) for report in (pair.before, pair.after)]
    heat = [overlay(images, own, alpha=0.7) for own in maps]
    captions = [f"{classes[int(pair.after.explained[row])]}\nalike {pair.alike[row]:.2f}" for row in rows]
    sheet = image_blocks(
        [images, *heat, difference_colors(maps[1] - maps[0])], ["image", *pair.names, "red: gained"], captions, columns=8
    )
    few = torch.linspace(0, len(rows) - 1, min(_IN_TERMINAL, len(rows))).round().long()
    said = [[f"{name}: {captions[int(place)]}" for place in few] for name in ("before", "after")]
    return sheet, [terminal.gallery(own[few], words) for own, words in zip(heat, said, strict=True)]
