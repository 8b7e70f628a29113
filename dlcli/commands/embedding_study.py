"""``dl explain embedding``: the features before the last layer, as a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dlcli.classifier import predicted_classes
from dlcli.commands.explain_study import Findings, Scene
from dlcli.contracts import Metric
from dlcli.engine.features import Features, features_of
from dlcli.errors import UsageError
from dlcli.metrics.intervals import wilson
from dlcli.metrics.neighbours import leave_one_out, trustworthiness
from dlcli.metrics.projection import principal_components, tsne
from dlcli.models.heads import head_name
from dlcli.report.scatter import scatter_picture, scatter_plot
from dlcli.report.terminal import interval

_FEWEST = 10


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """PCA and t-SNE of what the last linear layer receives, with nearest neighbours' accuracy and trustworthiness.

    Args:
        examples: of the split; at least 10.
        neighbours: of the vote, and of trustworthiness; at least 1, and below half of the examples.
        perplexity: of t-SNE; at least 1.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"

    examples: int = 1000
    neighbours: int = 5
    perplexity: float = 30.0

    def __post_init__(self) -> None:
        if self.examples < _FEWEST:
            raise ValueError(f"examples must be at least {_FEWEST}, got {self.examples}")
        if not 1 <= self.neighbours < self.examples / 2:
            raise ValueError(f"neighbours must be at least 1 and below half of the examples, got {self.neighbours}")
        if not self.perplexity >= 1:
            raise ValueError(f"perplexity must be at least 1, got {self.perplexity}")

    def __call__(self, scene: Scene) -> Findings:
        """Returns ``explain/knn_accuracy`` of the features and of the inputs, and ``explain/trustworthiness`` of each map.

        Raises:
            UsageError: the network has no last linear layer that alone makes its logits, or there are too few examples.
        """
        found, inputs, right = _features(scene, self.examples)
        targets, count = found.targets.cpu(), len(found.targets)
        if self.neighbours >= count / 2:
            reason = f"{count} examples are too few for {self.neighbours} neighbours"
            raise UsageError(reason, hint="a larger --limit, or study.neighbours=1")
        features = found.inputs.cpu()
        flat = principal_components(features)
        scene.check()
        curved = tsne(features, perplexity=self.perplexity, seed=scene.seed)
        scene.check()
        maps = {"pca": flat.points, "tsne": curved}
        trust = {name: trustworthiness(features, points, neighbours=self.neighbours) for name, points in maps.items()}
        votes = {
            "knn_accuracy": _vote(features, targets, self.neighbours),
            "knn_accuracy_inputs": _vote(inputs, targets, self.neighbours),
            "knn_accuracy_tsne": _vote(curved, targets, self.neighbours),
        }
        metrics = {f"explain/{name}": metric for name, metric in votes.items()}
        metrics |= {f"explain/trustworthiness/{name}": Metric(value, n=count) for name, value in trust.items()}
        metrics["explain/pca_variance"] = Metric(float(flat.shares.sum()), n=count)
        metrics["explain/accuracy"] = wilson(int(right.sum()), count)
        titles = {
            f"PCA, {100 * float(flat.shares.sum()):.0f} % of the variance, trustworthiness {trust['pca']:.3f}": flat.points,
            f"t-SNE, perplexity {self.perplexity:g}, trustworthiness {trust['tsne']:.3f}": curved,
        }
        classes = scene.model.spec.classes
        return Findings(
            metrics=metrics,
            arrays={"features": features, "index": found.index.cpu(), "targets": targets, **maps},
            pictures={"embedding": scatter_plot(titles, targets, ~right, classes=classes)},
            shown=[scatter_picture(curved, targets)],
            words=_words(metrics, features.shape[1], self.neighbours),
            following=(("dl explain features", "what the layers before it see"), ("dl evaluate", "which classes are confused")),
        )


def _features(scene: Scene, examples: int) -> tuple[Features, Tensor, Tensor]:
    """What the last layer receives, the inputs as the network sees them (N, D), and which predictions are right."""
    model = scene.model
    try:
        head = model.net.get_submodule(head_name(model.net))
        split = scene.subject.split.select(scene.rows(examples))
        found = features_of(model, head, split, batch_size=max(scene.batch_size, 1), tell=lambda done: scene.check())
    except ValueError as error:
        reason = f"{scene.subject.loaded.name} cannot be embedded: {error}"
        raise UsageError(
            reason, hint="a model whose last layer is torch.nn.Linear; dl explain gradients fits every model"
        ) from error
    batch = next(iter(split.batches(torch.arange(len(split)), len(split))))
    standard = ((batch.inputs - model.mean) / model.std).nan_to_num(0.0) if batch.inputs.ndim == 2 else batch.inputs
    with torch.inference_mode():
        right = predicted_classes(head(found.inputs)) == found.targets
    return found, standard.flatten(1).cpu(), right.cpu()


def _vote(points: Tensor, targets: Tensor, neighbours: int) -> Metric:
    hits = leave_one_out(points, targets, neighbours=neighbours) == targets
    return wilson(int(hits.sum()), len(targets))


def _words(metrics: dict[str, Metric], size: int, neighbours: int) -> list[str]:
    features, inputs, tsne_votes = (
        metrics[f"explain/{name}"] for name in ("knn_accuracy", "knn_accuracy_inputs", "knn_accuracy_tsne")
    )
    gain = (
        "the layers have pulled the classes apart"
        if (features.low or 0) > (inputs.high or 1)
        else "the layers pull the classes no further apart than the inputs do"
        if (features.high or 1) < (inputs.low or 0) or features.value <= inputs.value
        else "that the layers pull the classes apart is within the intervals"
    )
    flat, curved = (metrics[f"explain/trustworthiness/{name}"].value for name in ("pca", "tsne"))
    return [
        f"{neighbours} nearest neighbours, each example left out once: {interval(features)} right by the {size} features,"
        f" {interval(inputs)} by the inputs: {gain}",
        f"trustworthiness (1 = no false neighbours on paper): PCA {flat:.3f}, t-SNE {curved:.3f}",
        f"on the t-SNE map alone the neighbours are right in {interval(tsne_votes)}; its distances between clusters mean nothing",
    ]
