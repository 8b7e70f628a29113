"""``dl explain landscape``: the loss between and around weights, and the proof that it is not convex."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dlcli.commands.explain_study import Findings, Scene
from dlcli.commands.training_path import TrainingPath, own_settings, training_path
from dlcli.commands.untrained import untrained
from dlcli.contracts import Batch, Metric
from dlcli.engine.curvature import Extreme, as_direction, extreme_of, hessian_product, lanczos
from dlcli.engine.landscape import (
    Heights,
    Plane,
    Weights,
    between,
    filter_normalised,
    heights,
    moved,
    plane,
    state_of,
    weights_of,
)
from dlcli.report.surface import line_plot, path_plot, surface_picture, surface_plot

_BATCH = 256  # small enough for a core's cache, where a convolution is fastest
_BEYOND = 0.25  # of the straight way, behind the trained weights
_PATH_SIDE, _PATH_EXAMPLES, _PATH_MARGIN = 15, 512, 0.15
_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # along the most negative curvature, in weight units


@dataclass(frozen=True, kw_only=True)
class LossLandscape:
    """Loss from the first weights to the trained ones, over a filter-normalised plane, along training's way, and its Hessian.

    Every point is judged on the same examples in evaluation mode. On the plane BatchNorm keeps the trained running statistics, on
    the line they are interpolated as the weights are, so that both ends are networks that were there.

    Args:
        examples: of the split; at least 1.
        resolution: points along each side of the plane; at least 3.
        radius: of the plane, in lengths of the filters; above 0.
        line: points of the straight way; at least 3.
        hessian_examples: of those; at least 1.
        lanczos: products with the Hessian; at least 2.
        replay_steps: of a short training whose way is drawn, where a run has too few checkpoints; 0 is none.

    Raises:
        ValueError: a value is out of its range.
    """

    kind: ClassVar[str] = "study"

    examples: int = 2048
    resolution: int = 25
    radius: float = 1.0
    line: int = 41
    hessian_examples: int = 512
    lanczos: int = 30
    replay_steps: int = 100

    def __post_init__(self) -> None:
        fewest = {"examples": 1, "resolution": 3, "line": 3, "hessian_examples": 1, "lanczos": 2, "replay_steps": 0}
        for name, least in fewest.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not 0 < self.radius < float("inf"):
            raise ValueError(f"radius must be above 0, got {self.radius}")

    def __call__(self, scene: Scene) -> Findings:
        """Returns losses at the ends, the barrier between them, and ``explain/hessian_min`` and ``_max`` with their residuals."""
        batches = list(scene.subject.split.batches(scene.rows(self.examples), _BATCH))
        few = _first(batches, self.hessian_examples)
        shares, along = self._line(scene, batches)
        surface, seconds = self._surface(scene, batches)
        scene.tell(f"surface: {surface.losses.numel()} points in {seconds:.1f} s")
        low, high = self._hessian(scene, few)
        bent = _bent(scene, few, low)
        scene.tell(f"Hessian: {self.lanczos} products done")
        path = training_path(scene.subject.loaded, steps=self.replay_steps, device=scene.subject.device, check=scene.check)
        drawn = None if path is None else _on_its_plane(scene, path, batches)
        count = sum(len(batch.targets) for batch in batches)
        metrics = {
            "explain/loss": Metric(float(along.losses[_at(shares, 1.0)]), n=count),
            "explain/loss_first_weights": Metric(float(along.losses[_at(shares, 0.0)]), n=count),
            "explain/barrier": Metric(_barrier(shares, along.losses), n=count),
            "explain/hessian_min": _bounded(low, few),
            "explain/hessian_max": _bounded(high, few),
            "explain/midpoint_excess": Metric(bent[0], n=sum(len(batch.targets) for batch in few)),
        }
        arrays = {"line/shares": shares, "line/losses": along.losses, "line/accuracies": along.accuracies}
        arrays |= {"surface/x": surface.x, "surface/y": surface.y, "surface/losses": surface.losses}
        pictures = {
            "surface": surface_plot(surface.x, surface.y, surface.losses),
            "interpolation": line_plot(shares, along.losses, along.accuracies),
        }
        if drawn is not None:
            metrics["explain/path_variance"] = Metric(sum(drawn.shares))
            arrays |= {"path/points": drawn.path, "path/x": drawn.ground.x, "path/y": drawn.ground.y}
            arrays["path/losses"] = drawn.ground.losses
            ground = drawn.ground
            pictures["path"] = path_plot(ground.x, ground.y, ground.losses, drawn.path, shares=drawn.shares)
        return Findings(
            metrics=metrics,
            arrays=arrays,
            pictures=pictures,
            shown=[surface_picture(surface.losses)],
            words=[*_words(metrics, low, high, bent, self.lanczos), *_where_from(path, drawn)],
            following=(
                ("dl train optimizer_study", "optimizers on landscapes with known minima"),
                ("dl explain gradients", "what leads down the surface"),
            ),
        )

    def _line(self, scene: Scene, batches: Sequence[Batch]) -> tuple[Tensor, Heights]:
        settings = own_settings(scene.subject.loaded)
        first = untrained(scene.subject.loaded, seed=scene.seed if settings is None else settings.seed)
        start, end = state_of(first), state_of(scene.model)
        inside = torch.linspace(0, 1, self.line, dtype=torch.float64)
        step = float(inside[1])
        beyond = 1 + step * torch.arange(1, int(_BEYOND / step + 1e-9) + 1, dtype=torch.float64)
        shares = torch.cat([inside, beyond])
        points = (_on_the_way(start, end, float(share), weights=set(weights_of(first))) for share in shares)
        return shares, heights(scene.model, batches, points, check=scene.check)

    def _surface(self, scene: Scene, batches: Sequence[Batch]) -> tuple[Plane, float]:
        center = weights_of(scene.model)
        first, second = (filter_normalised(center, seed=scene.seed, number=number) for number in (0, 1))
        side = torch.linspace(-self.radius, self.radius, self.resolution, dtype=torch.float64)
        started = time.perf_counter()
        found = plane(scene.model, batches, center, (first, second), x=side, y=side, check=scene.check)
        return found, time.perf_counter() - started

    def _hessian(self, scene: Scene, batches: Sequence[Batch]) -> tuple[Extreme, Extreme]:
        product, size = hessian_product(scene.model, batches)
        vectors = lanczos(product, size, steps=self.lanczos, seed=scene.seed, check=scene.check)
        # The search is in float32; what is claimed is measured in float64.
        exact, _ = hessian_product(scene.model, batches, dtype=torch.float64)
        low, high = (extreme_of(exact, vector) for vector in vectors)
        return low, high


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A path on its plane: coordinates (T, 2), the losses around it, and how much of the way each direction holds."""

    path: Tensor
    ground: Plane
    shares: tuple[float, float]


def _first(batches: Sequence[Batch], count: int) -> list[Batch]:
    """The first ``count`` examples of the batches."""
    kept: list[Batch] = []
    for batch in batches:
        left = count - sum(len(own.targets) for own in kept)
        if left > 0:
            kept.append(Batch(batch.inputs[:left], batch.targets[:left], batch.index[:left]))
    return kept


def _on_the_way(start: Weights, end: Weights, share: float, *, weights: set[str]) -> Weights:
    """The point of the line; running statistics go no further than to the trained ones, as a variance is never negative."""
    far, near = between(start, end, share), between(start, end, min(share, 1.0))
    return {name: far[name] if name in weights else near[name] for name in start}


def _at(shares: Tensor, place: float) -> int:
    return int((shares - place).abs().argmin())


def _barrier(shares: Tensor, losses: Tensor) -> float:
    """How far the loss rises above the straight line between its ends, which a convex function never does; 0 or more."""
    inside = shares <= 1
    own, place = losses[inside], shares[inside]
    return max(0.0, float((own - torch.lerp(own[0], own[-1], place)).max()))


def _bounded(extreme: Extreme, batches: Sequence[Batch]) -> Metric:
    value, residual = extreme.value, extreme.residual
    count = sum(len(batch.targets) for batch in batches)
    return Metric(value, value - residual, value + residual, count, "Lanczos residual")


def _bent(scene: Scene, batches: Sequence[Batch], low: Extreme) -> tuple[float, float]:
    """How far the loss in the middle lies above the mean of two ends on either side, and how far away those are.

    Above 0 it is no convex function, whatever its derivatives. The ends lie along the most negative curvature; of several
    distances the one that shows it best.
    """
    center, direction = weights_of(scene.model), as_direction(low.vector, scene.model)
    places = [sign * step for step in _STEPS for sign in (1.0, -1.0)]
    points = [center, *(moved(center, [direction], [place]) for place in places)]
    losses = heights(scene.model, batches, points, check=scene.check).losses
    excess = losses[0] - losses[1:].reshape(-1, 2).mean(dim=1)
    best = int(excess.argmax())
    return float(excess[best]), _STEPS[best]


def _on_its_plane(scene: Scene, path: TrainingPath, batches: Sequence[Batch]) -> _Drawn:
    """The path along the two directions in which it is longest, seen from its end (Li et al. 2018, §7)."""
    end = path.points[-1]
    ways = torch.stack([torch.cat([(point[name] - end[name]).flatten() for name in end]) for point in path.points]).double()
    _, sizes, axes = torch.linalg.svd(ways, full_matrices=False)
    directions = tuple(as_direction(axis, path.model) for axis in axes[:2])
    coordinates = (ways @ axes[:2].T).cpu()
    total = float(sizes.square().sum()) or 1.0
    margin = _PATH_MARGIN * (coordinates.amax(dim=0) - coordinates.amin(dim=0)).clamp_min(1e-3)
    low, high = coordinates.amin(dim=0) - margin, coordinates.amax(dim=0) + margin
    x, y = (torch.linspace(float(low[axis]), float(high[axis]), _PATH_SIDE, dtype=torch.float64) for axis in (0, 1))
    few = _first(batches, _PATH_EXAMPLES)
    ground = plane(path.model, few, end, (directions[0], directions[1]), x=x, y=y, check=scene.check)
    return _Drawn(coordinates, ground, (float(sizes[0]) ** 2 / total, float(sizes[1]) ** 2 / total))


def _words(metrics: dict[str, Metric], low: Extreme, high: Extreme, bent: tuple[float, float], products: int) -> list[str]:
    barrier, first, last = (metrics[f"explain/{name}"].value for name in ("barrier", "loss_first_weights", "loss"))
    way = (
        f"and on the way it rises up to {barrier:.3g} above the straight line between them, as no convex function does"
        if barrier > 1e-6
        else "and never rises above the straight line between them: this line alone shows no hill"
    )
    if low.value + low.residual < 0:
        proof = "NEGATIVE beyond its residual: the loss is not convex, and these weights are no minimum in every direction"
    elif low.value < 0:
        proof = "there is a direction in which the loss bends down: it is not convex"
    else:
        proof = f"none below 0 was found by {products} products, which proves nothing: more with study.lanczos=100"
    middle = (
        f"{bent[1]:g} to either side along it the loss is on average {bent[0]:.2g} lower than in the middle: that alone says so"
        if bent[0] > 0
        else "at the distances tried the loss is higher on both sides, as the gradient and higher orders outweigh it"
    )
    return [
        f"loss {first:.3g} at the first weights, {last:.3g} at the trained ones, {way}",
        f"Hessian: highest eigenvalue {high.value:.4g} ± {high.residual:.1g}, lowest {low.value:.4g} ± {low.residual:.1g}:"
        f" {proof}",
        middle,
        "the surface is filter-normalised (Li et al. 2018): biases, norms and BatchNorm's running statistics stay",
    ]


def _where_from(path: TrainingPath | None, drawn: _Drawn | None) -> list[str]:
    if path is None or drawn is None:
        return ["no way of training is drawn: neither checkpoints nor a dl train configuration tell it"]
    return [f"the way of training is of {path.words}; its plane holds {100 * sum(drawn.shares):.0f} % of it"]
