"""Which examples a person should look at: those a model got most wrong, those it was least sure of, and its surest mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.classifier import predicted_classes, probabilities
from dlcli.commands.console import Talk
from dlcli.contracts import Predictions, Split
from dlcli.report import terminal
from dlcli.report.images import to_uint8
from dlcli.report.sheet import captioned_rows

PER_ROW = 8


@dataclass(frozen=True)
class Mistakes:
    """A few examples for people, mistakes first: images uint8 (N, H, W, 3), and a caption each."""

    images: Tensor
    captions: list[str]


@dataclass(frozen=True)
class Judged:
    """Per example: predicted class (N,), its probability and that of the true class, float32 (N,), and whether it is wrong."""

    predicted: Tensor
    confidence: Tensor
    target_chance: Tensor
    wrong: Tensor

    @classmethod
    def of(cls, predictions: Predictions) -> Judged:
        """Returns what is said of each example."""
        chances, predicted = probabilities(predictions.logits), predicted_classes(predictions.logits)
        return cls(
            predicted,
            chances.gather(1, predicted[:, None])[:, 0],
            chances.gather(1, predictions.targets[:, None])[:, 0],
            predicted != predictions.targets,
        )


def show_predictions(split: Split, predictions: Predictions, classes: tuple[str, ...], talk: Talk) -> None:
    """Draws a few examples with their predictions, mistakes first."""
    one_row = max(2, (talk.console.width + 2) // 30)
    some = mistakes_first(split, predictions, classes, count=one_row)
    if some is not None:
        talk.picture(terminal.gallery(some.images, some.captions))


def mistakes_first(split: Split, predictions: Predictions, classes: tuple[str, ...], *, count: int) -> Mistakes | None:
    """Returns the most confident mistakes, then the least confident hits; None for data that are no images."""
    judged = Judged.of(predictions)
    order = torch.argsort(torch.where(judged.wrong, -judged.confidence - 1, judged.confidence))[:count]
    return _looked_up(split, predictions, judged, order, classes)


def notable(predictions: Predictions, *, count: int = PER_ROW) -> Mapping[str, Tensor]:
    """Returns positions of examples by what is notable in them, the most so first; a kind without examples is left out.

    ``worst``: the true class got the lowest probability. ``least sure``: the predicted class did. ``sure and wrong``: mistakes
    whose predicted class got the highest; of two classes these are the worst, and are left out.
    """
    judged = Judged.of(predictions)
    wrong = int(judged.wrong.sum())
    kinds = {
        "worst": (judged.target_chance, min(count, wrong)),
        "least sure": (judged.confidence, min(count, len(judged.confidence))),
        "sure and wrong": (torch.where(judged.wrong, -judged.confidence, torch.inf), min(count, wrong)),
    }
    if predictions.logits.shape[1] <= 2:
        del kinds["sure and wrong"]
    return {name: score.argsort(stable=True)[:size] for name, (score, size) in kinds.items() if size}


def mistakes_picture(split: Split, predictions: Predictions, classes: tuple[str, ...]) -> bytes | None:
    """Returns a row of images for each kind of :func:`notable`, as PNG; None for data that are no images."""
    judged = Judged.of(predictions)
    found = {name: _looked_up(split, predictions, judged, rows, classes) for name, rows in notable(predictions).items()}
    shown = {name: some for name, some in found.items() if some is not None}
    if not shown:
        return None
    return captioned_rows([some.images for some in shown.values()], list(shown), [some.captions for some in shown.values()])


def _looked_up(split: Split, predictions: Predictions, judged: Judged, rows: Tensor, classes: tuple[str, ...]) -> Mistakes | None:
    batch = next(iter(split.batches(rows, len(rows))))
    if batch.inputs.ndim != 4:
        return None
    captions = [
        f"{classes[int(judged.predicted[row])]} {100 * float(judged.confidence[row]):.0f} %"
        + (f", is {classes[int(predictions.targets[row])]}" if judged.wrong[row] else "")
        for row in rows
    ]
    return Mistakes(to_uint8(batch.inputs.cpu()), captions)
