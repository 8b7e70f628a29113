"""``dl explain features``: a network's hierarchy, from edges to classes, in pictures and in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.commands.explain_study import Findings, Scene, refuse_kind
from dlcli.contracts import Metric
from dlcli.engine.depths import Depth, Responses, depths_of, maximised, receptive_field, responses
from dlcli.errors import UsageError
from dlcli.metrics.linear_probe import linear_probe
from dlcli.randomness import SampleKeys, key
from dlcli.report.images import letterboxed, to_uint8
from dlcli.report.probes import probes_picture, probes_plot
from dlcli.report.sheet import captioned_rows
from dlcli.report.terminal import interval

_SIDE = 84  # pixels of a patch as it is shown
_FILTERS, _ACROSS = 32, 8


@dataclass(frozen=True, kw_only=True)
class FeatureHierarchy:
    """First-layer filters, the strongest patches and maximising images of channels, and a linear probe at every depth.

    Args:
        examples: of the split, half of them for fitting probes; at least 20.
        depths: at least 1.
        channels: shown of each depth; at least 1.
        patches: of each channel; at least 1.
        steps: of activation maximisation; 0 is none.
        jitter: in pixels; at least 0.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"

    examples: int = 2000
    depths: int = 5
    channels: int = 4
    patches: int = 6
    steps: int = 64
    jitter: int = 2

    def __post_init__(self) -> None:
        fewest = {"examples": 20, "depths": 1, "channels": 1, "patches": 1, "steps": 0, "jitter": 0}
        for name, least in fewest.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    def __call__(self, scene: Scene) -> Findings:
        """Returns ``explain/probe/DEPTH``, 0 for the input, each the accuracy of a linear probe with its interval.

        Raises:
            UsageError: the data are no images, or the network has no layer before its head.
        """
        refuse_kind(scene, "features", "image")
        rows = scene.rows(self.examples)
        shuffled = SampleKeys(key(scene.seed, "features"), rows).bits("order", 0, ()).argsort(stable=True)
        split = scene.subject.split.select(rows[shuffled])
        batch = next(iter(split.batches(torch.arange(len(split)), len(split))))
        inputs, targets = batch.inputs.cpu(), batch.targets.cpu()
        half = len(targets) // 2
        if half < 1 or len(set(targets[:half].tolist())) < 2:
            raise UsageError(f"{len(targets)} examples are too few for probes", hint="a larger --limit, or none")
        chosen = _evenly(depths_of(scene.model, batch.inputs), self.depths)
        if not chosen:
            reason = f"{scene.subject.loaded.name} has no layer before its last one, so no hierarchy"
            raise UsageError(reason, hint="a network with hidden layers; dl explain gradients fits every model")
        probes = {"input": linear_probe(inputs.flatten(1), targets, fitted=half)}
        images: list[Tensor] = []
        titles: list[str] = []
        captions: list[list[str]] = []
        arrays: dict[str, object] = {"index": batch.index.cpu()}
        for number, depth in enumerate(chosen, 1):
            found = responses(scene.model, split, depth, batch_size=scene.batch_size, check=scene.check)
            probes[depth.name] = linear_probe(found.features, targets, fitted=half)
            arrays[f"{depth.name}/strongest"] = found.strongest
            for title, row, own in self._rows(scene, depth, found, inputs):
                titles.append(f"{number} · {title}")
                images.append(row)
                captions.append(own)
        pictures = {"probes": probes_plot(probes), "patches": captioned_rows(images, titles, captions)}
        filters = first_filters(scene.model.net, inputs.shape[1:])
        if filters is not None:
            pictures["filters"] = _filters_picture(filters)
            arrays["filters"] = filters
        metrics: dict[str, Metric] = {f"explain/probe/{place}": probe for place, probe in enumerate(probes.values())}
        return Findings(
            metrics=metrics,
            arrays=arrays,
            pictures=pictures,
            shown=[probes_picture(probes)],
            words=_words(probes, chosen, has_filters=filters is not None),
            following=(("dl explain embedding", "the last features as a map"), ("dl explain gradcam", "where it looks")),
        )

    def _rows(self, scene: Scene, depth: Depth, found: Responses, inputs: Tensor) -> list[tuple[str, Tensor, list[str]]]:
        """A row for each shown channel of a depth: title, images (uint8), captions."""
        best = found.strongest.amax(dim=0).topk(min(self.channels, found.strongest.shape[1])).indices
        made = None
        if self.steps:
            made = maximised(
                scene.model,
                depth,
                best,
                shape=tuple(inputs.shape[1:]),
                steps=self.steps,
                jitter=self.jitter,
                seed=scene.seed,
            )
        size = receptive_field(scene.model, inputs.to(scene.subject.device), depth)
        rows = []
        for place, channel in enumerate(best.tolist()):
            top = found.strongest[:, channel].topk(min(self.patches, len(inputs)))
            crops = [_crop(inputs[row], depth, int(found.places[row, channel]), size) for row in top.indices.tolist()]
            labels = [f"{value:.2g}" for value in top.values.tolist()]
            if made is not None:
                crops, labels = [made[place], *crops], ["maximised", *labels]
            shown = torch.stack([letterboxed(to_uint8(crop[None])[0], _SIDE) for crop in crops])
            rows.append((f"unit {channel}", shown, labels))
        return rows


def _evenly(found: Sequence[Depth], count: int) -> list[Depth]:
    """``count`` of them, evenly, the first and the last among them."""
    if len(found) <= count:
        return list(found)
    places = torch.linspace(0, len(found) - 1, count).round().long().tolist() if count > 1 else [len(found) - 1]
    return [found[place] for place in places]


def _crop(image: Tensor, depth: Depth, place: int, size: tuple[int, int]) -> Tensor:
    """The part of an image (C, H, W) that a place of a depth's map sees, cut at the image's edges; all of it without a map."""
    if not depth.is_spatial:
        return image
    _, high, wide = depth.shape
    parts = []
    for position, cells, side, extent in zip(divmod(place, wide), (high, wide), image.shape[1:], size, strict=True):
        middle = (position + 0.5) * side / cells
        first = max(0, min(round(middle - extent / 2), side - 1))
        parts.append(slice(first, max(first + 1, min(round(middle + extent / 2), side))))
    return image[:, parts[0], parts[1]]


def first_filters(net: nn.Module, shape: Sequence[int]) -> Tensor | None:
    """Returns the first layer's weights as images, float (F, C, h, w), each scaled to [0, 1] with 0 at grey; None for none."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach().cpu()
        elif isinstance(module, nn.Linear):
            if module.in_features != int(torch.Size(shape).numel()):
                return None
            weight = module.weight.detach().cpu().reshape(-1, *shape)
        else:
            continue
        if weight.shape[1] not in {1, 3}:
            return None
        return 0.5 + 0.5 * weight / weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-12)
    return None


def _filters_picture(filters: Tensor) -> bytes:
    shown = torch.stack([letterboxed(image, _SIDE) for image in to_uint8(filters[:_FILTERS])])
    rows = list(torch.split(shown, _ACROSS))
    numbers = [[str(start * _ACROSS + place) for place in range(len(row))] for start, row in enumerate(rows)]
    return captioned_rows(rows, ["filters"] * len(rows), numbers)


def _words(probes: dict[str, Metric], chosen: Sequence[Depth], *, has_filters: bool) -> list[str]:
    lines = [f"  {place} {name}: {interval(probe)}" for place, (name, probe) in enumerate(probes.items())]
    first, last = (list(probes.values())[place] for place in (0, -1))
    if (last.low or 0) > (first.high or 1):
        verdict = "the last depth tells the classes better than the input does, beyond the intervals: a hierarchy has formed"
    else:
        verdict = "the last depth tells the classes no better than the input does, within the intervals"
    notes = [] if any(depth.is_spatial for depth in chosen) else ["no layer has a spatial map: whole images stand for patches"]
    if not has_filters:
        notes.append("the first layer's weights are no picture of pixels: they are left out")
    return ["a linear probe on what each depth knows, judged on examples that it was not fitted to:", *lines, verdict, *notes]
