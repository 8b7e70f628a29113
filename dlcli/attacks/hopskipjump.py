"""HopSkipJump: along the boundary by answers alone, with no gradient and no logits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.balls import Norm, boxed, check_norm, distance, steepest
from dlcli.attacks.examples import NOT_FINITE, Examples, lent
from dlcli.attacks.minimum import inside, opened
from dlcli.attacks.starts import far_off
from dlcli.classifier import ask, class_logits
from dlcli.contracts import Threat
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys

# Numbers in the points that are asked about at once for one example; what is drawn must not depend on the batch.
_BLOCK = 25_000
# Points that are tried as a start.
_STARTS = 100


@dataclass(frozen=True, kw_only=True)
class HopSkipJump:
    """HopSkipJump (Chen, Jordan and Wainwright 2020, "HopSkipJumpAttack: a query-efficient decision-based attack", Alg. 2).

    Minimum-norm, from predicted classes alone. From a random point that fools the model a binary search leads to the boundary on
    the way to the example (Alg. 1), as near as θ times that way. Then, again and again: B₀ √t random directions of length δ tell
    on which side they end, and the mean of those, each less the share of hits, is the boundary's normal (eq. 16); in Linf its
    sign. A step of the distance over √t along it is halved until it fools; a binary search leads back to the boundary. θ is
    d^(-3/2) in L2 and d^(-2) in Linf, but at most 0.001 as tables have few columns, and δ is √d θ or d θ times the distance, at
    first 0.1. What comes back is the nearest of those boundary points. Unlike in the authors' code the start is noise in cells of
    1, 2, 4, 8 or all pixels in turn, grey or black and white, as nets take fine noise for one and the same class; an example that
    none of 100 fools stays as it is.

    It aims at no class: that would need images of it to start from. Images are clipped to [0, 1]; tables are not clipped.

    Args:
        norm: "linf" or "l2"; what is made small.
        queries: predictions that an example may cost; at least 1. It leaves when another iteration could cost more than is left.
        evaluations: directions of the first iteration, B₀; at least 1.
    """

    norm: Norm = "l2"
    queries: int = 5000
    evaluations: int = 100
    kind: ClassVar[str] = "attack"
    aims: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_norm(self.norm)
        check_counts(queries=self.queries, evaluations=self.evaluations)

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, None)

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        *,
        rng: SampleKeys | None = None,
        goals: Tensor | None = None,
    ) -> Tensor:
        """Returns adversarial inputs; misclassified examples stay as they are. Goals are reached from a random start or not."""
        with lent(model, inputs, targets, rng=rng, goals=goals) as examples:
            standing, active, _ = opened(model, examples)
            if not len(active):
                return standing.result()
            search = _Search(self, model, active)
            search.start()
            turn = 1
            while len(search.at):
                search.turn(turn)
                turn += 1
            merits = torch.where(search.found, 1 / search.nearest.clamp_min(1e-12), torch.finfo(search.nearest.dtype).min)
            standing.offer(search.best, merits, torch.zeros_like(search.found))
            return standing.result()


class _Search:
    """Where each example is, ``points``, (n, ...); the nearest that it has been, ``best``; and ``at``, those that go on."""

    def __init__(self, attack: HopSkipJump, model: nn.Module, examples: Examples) -> None:
        self._attack, self._model, self._examples = attack, model, examples
        size, l2 = math.prod(examples.inputs.shape[1:]), attack.norm == "l2"
        theta = min(size ** (-1.5 if l2 else -2.0), 1e-3)
        self._delta, self._halvings = theta * (math.sqrt(size) if l2 else size), math.ceil(-math.log2(theta))
        self._block = max(1, _BLOCK // size)
        self.points, self.best = examples.inputs.clone(), examples.inputs.clone()
        self.nearest = examples.inputs.new_full((len(examples),), torch.inf)
        self.at = torch.arange(len(examples), device=examples.inputs.device)
        self.found = torch.zeros_like(self.at, dtype=torch.bool)
        # Of the unchanged example.
        self._asked = torch.ones_like(self.at)

    def start(self) -> None:
        """Finds points that fool, and goes from there to the boundary."""
        for attempt in range(_STARTS):
            rows = (~self.found & (self._asked < self._attack.queries)).nonzero().flatten()
            if not len(rows):
                break
            active = self._examples.take(rows)
            noise = far_off(active.inputs, active.keys, "hopskipjump/start", attempt)
            fooled = self._fools(noise, rows)
            self.found[rows[fooled]] = True
            self._arrive(noise[fooled], rows[fooled])
        self.at = (self.found & (self._asked + self._halvings <= self._attack.queries)).nonzero().flatten()
        self._arrive(self._to_boundary(self.points[self.at]), self.at)
        self._stay(1)

    def turn(self, turn: int) -> None:
        """One iteration of those that go on: the normal, a step along it, and back to the boundary."""
        rows, points = self.at, self.points[self.at]
        inputs = self._examples.inputs[rows]
        size = distance(points - inputs, self._attack.norm)
        normal = self._normal(points, size * self._delta if turn > 1 else torch.full_like(size, 0.1), turn)
        step, landed = size / math.sqrt(turn), torch.zeros_like(size, dtype=torch.bool)
        beyond = points.clone()
        while True:
            # Enough must be left to go back to the boundary.
            trying = (~landed & (self._asked[rows] + self._halvings < self._attack.queries) & (step > 1e-9)).nonzero().flatten()
            if not len(trying):
                break
            there = boxed(points[trying] + _wide(step[trying], points) * normal[trying])
            fooled = self._fools(there, rows[trying])
            beyond[trying[fooled]], landed[trying[fooled]] = there[fooled], True
            step = torch.where(landed, step, step / 2)
        self.at = rows[landed]
        self._arrive(self._to_boundary(beyond[landed]), self.at)
        self._stay(turn + 1)

    def _arrive(self, points: Tensor, rows: Tensor) -> None:
        """Goes to points that fool; the next may be further away, so the nearest is kept."""
        size = distance(points - self._examples.inputs[rows], self._attack.norm)
        nearer = size < self.nearest[rows]
        self.points[rows] = points
        self.best[rows[nearer]], self.nearest[rows[nearer]] = points[nearer], size[nearer]

    def _fools(self, points: Tensor, rows: Tensor) -> Tensor:
        """Asks about points of the examples at ``rows``, which may occur several times; of the answer only the class is used."""
        examples = self._examples.take(rows)
        logits = class_logits(ask(self._model, points.clone(), examples.keys.index))
        if not logits.isfinite().all():
            raise ComputeError(NOT_FINITE)
        self._asked.index_add_(0, rows, torch.ones_like(rows))
        return examples.fooled(logits)

    def _to_boundary(self, points: Tensor) -> Tensor:
        """Binary search from points that fool, one for each of ``at``, towards the examples; what comes back still fools."""
        inputs = self._examples.inputs[self.at]
        size = distance(points - inputs, self._attack.norm)
        low, high, best = torch.zeros_like(size), torch.ones_like(size), points
        for _ in range(self._halvings if len(points) else 0):
            middle = (low + high) / 2
            there = inputs + inside(points - inputs, self._attack.norm, middle * size)
            fooled = self._fools(there, self.at)
            best = torch.where(_wide(fooled, points), there, best)
            low, high = torch.where(fooled, low, middle), torch.where(fooled, middle, high)
        return best

    def _normal(self, points: Tensor, delta: Tensor, turn: int) -> Tensor:
        """The boundary's normal by Monte Carlo, of norm 1: (n, ...)."""
        count, length = self._evaluations(turn), _wide(delta, points)
        hits, sides, all_ = torch.zeros_like(delta), torch.zeros_like(points), torch.zeros_like(points)
        for first in range(0, count, self._block):
            part = min(self._block, count - first)
            drawn = self._directions(turn, first // self._block, part)
            there = boxed((points[:, None] + length[:, None] * drawn).flatten(0, 1))
            fooled = self._fools(there, self.at.repeat_interleave(part)).reshape(len(points), part)
            drawn = (there.reshape(drawn.shape) - points[:, None]) / length[:, None]
            for way, side in zip(drawn.unbind(dim=1), (2 * fooled.to(points.dtype) - 1).unbind(dim=1), strict=True):
                hits, sides, all_ = hits + side, sides + _wide(side, way) * way, all_ + way
        mean = hits / count
        # All on one side tell nothing apart, and then their mean is better than nothing.
        return steepest(sides - _wide(torch.where(mean.abs() == 1, 0, mean), all_) * all_, self._attack.norm)

    def _directions(self, turn: int, block: int, count: int) -> Tensor:
        """Directions of L2 length 1, the examples' own: (n, count, ...)."""
        keys, shape = self._examples.keys.take(self.at), (count, *self.points.shape[1:])
        drawn = keys.normal(f"hopskipjump/{turn}", block, shape)
        if self._attack.norm == "linf":
            drawn = keys.uniform(f"hopskipjump/{turn}", block, shape, low=-1, high=1)
        return steepest(drawn.flatten(0, 1), "l2").reshape(drawn.shape).to(self.points.dtype)

    def _evaluations(self, turn: int) -> int:
        return int(self._attack.evaluations * math.sqrt(turn))

    def _stay(self, turn: int) -> None:
        """Keeps those that can pay for the next iteration: the directions, one step and the way back."""
        cost = self._evaluations(turn) + 1 + self._halvings
        self.at = self.at[self._asked[self.at] + cost <= self._attack.queries]


def _wide(values: Tensor, like: Tensor) -> Tensor:
    """One value for each example, as wide as ``like``: (n, 1, ...)."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
