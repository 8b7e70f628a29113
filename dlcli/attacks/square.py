"""Square attack: random search that asks for logits and never for a gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.balls import Norm, check_epsilon
from dlcli.attacks.examples import Examples, Standing, lent, put
from dlcli.attacks.gradients import first_look, look
from dlcli.attacks.losses import Loss, log_odds, margin
from dlcli.attacks.windows import Windows, bumps, share_of_image, sides
from dlcli.contracts import Threat
from dlcli.randomness import SampleKeys

# Random numbers are drawn for so many queries at once.
_BLOCK = 100


@dataclass(frozen=True, kw_only=True)
class Square:
    """Square attack (Andriushchenko et al. 2020, "Square attack: a query-efficient black-box adversarial attack").

    Each query changes one window of each example, and what has a higher margin (with ``goals``: a lower cross-entropy of the
    goal) is kept. In Linf (Alg. 2) it starts from vertical stripes, and a window becomes ±ε in each channel; in L2 (Alg. 3) it
    starts from a grid of bumps, and moves length from one window to another. What comes back is the first point that fools the
    model, else the best. Unlike in the authors' code every example has its own window and signs, windows reach the last row and
    column, and images need not be square. Images are clipped to [0, 1]; tables, where a window is a run of columns, are not.

    Args:
        epsilon: radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
        queries: points to try after the start; at least 1. 5000 as in AutoAttack.
        share: share of the pixels that a window covers at first, in (0, 1].
        rescale: stretch the schedule of window sizes, made for 10,000 queries, to ``queries``; AutoAttack does not.
    """

    epsilon: float
    norm: Norm = "linf"
    queries: int = 5000
    share: float = 0.8
    rescale: bool = False
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.norm)
        check_counts(queries=self.queries)
        if not 0 < self.share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {self.share}")

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.epsilon)

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        *,
        rng: SampleKeys | None = None,
        goals: Tensor | None = None,
    ) -> Tensor:
        """Returns adversarial inputs; misclassified examples (with goals: those taken for their goal) stay as they are."""
        loss = margin if goals is None else log_odds
        with lent(model, inputs, targets, rng=rng, goals=goals) as examples:
            standing = Standing(examples)
            seen = first_look(model, examples, loss, gradient=False)
            standing.offer(examples.inputs, seen.values, examples.fooled(seen.logits))
            self.search(model, examples, standing, rank=loss)
            return standing.result()

    def search(self, model: nn.Module, examples: Examples, standing: Standing, *, rank: Loss) -> None:
        """Asks for those of ``examples`` that stand; points are compared by ``rank``, as those offered before."""
        loss = margin if examples.goals is None else log_odds
        search = _Search(self, examples.take(standing.rows))
        while len(search.examples) and search.query <= self.queries:
            points = search.proposal()
            seen = look(model, points, search.examples, loss, gradient=False)
            search.accept(points, seen.values)
            merits = seen.values if rank is loss else rank(seen.logits, search.examples)
            keep = standing.offer(points, merits, search.examples.fooled(seen.logits))
            if keep is not None:
                search.take(keep)


class _Search:
    """The examples that still stand, the point that each is at, and what to ask next; query 0 is the start."""

    def __init__(self, attack: Square, examples: Examples) -> None:
        self.attack, self.examples, self.query = attack, examples, 0
        self._at, self._values = examples.inputs.clone(), torch.full((len(examples),), -torch.inf, device=examples.inputs.device)
        shape = examples.inputs.shape[1:]
        # Whatever is no image is one row of one channel.
        self._image = tuple(shape) if len(shape) == 3 else (1, 1, math.prod(shape))
        self._has_box = examples.inputs.ndim > 2
        self._draws = examples.inputs.new_empty(len(examples), 0)

    def proposal(self) -> Tensor:
        """Returns the points of the next query, one for each example."""
        inputs = self.examples.inputs.reshape(-1, *self._image)
        if self.query == 0:
            moved = self._start(inputs)
        else:
            if (self.query - 1) % _BLOCK == 0:
                self._draws = self._drawn()
            moved = self._changed(inputs, self._at.reshape(inputs.shape), self._draws[:, (self.query - 1) % _BLOCK])
        return moved.reshape(self.examples.inputs.shape)

    def accept(self, points: Tensor, values: Tensor) -> None:
        """Moves to what is better."""
        better = values > self._values
        put(points, self._at, better)
        self._values = torch.where(better, values, self._values)
        self.query += 1

    def take(self, keep: Tensor) -> None:
        self.examples = self.examples.take(keep)
        self._at, self._values, self._draws = self._at[keep], self._values[keep], self._draws[keep]

    def _drawn(self) -> Tensor:
        """Uniform numbers for a block of queries, (n, block, ...): two windows, an orientation, and a sign for each channel."""
        return self.examples.keys.uniform("square", (self.query - 1) // _BLOCK, (_BLOCK, 5 + self._image[0]))

    def _start(self, inputs: Tensor) -> Tensor:
        channels, height, width = self._image
        epsilon, keys = self.attack.epsilon, self.examples.keys
        if self.attack.norm == "linf":
            return self._clipped(inputs + epsilon * _signs(keys.uniform("square/stripes", 0, (channels, 1, width))))
        return self._clipped(inputs + epsilon * _normalised(_grid(keys, channels, height, width)))

    def _changed(self, inputs: Tensor, points: Tensor, draws: Tensor) -> Tensor:
        channels, height, width = self._image
        attack, l2 = self.attack, self.attack.norm == "l2"
        share = share_of_image(self.query - 1, initial=attack.share, queries=attack.queries, rescale=attack.rescale)
        window = sides(share, height, width, odd=l2)
        signs = _signs(draws[:, 5:]).reshape(-1, channels, 1, 1)
        first = Windows.drawn(draws[:, :2], (height, width), window)
        if not l2:
            # Most windows are small, so only what is in them is touched.
            painted, (images, rows, columns) = points.clone(), first.pixels()
            inside = inputs[images, :, rows, columns] + attack.epsilon * signs.reshape(-1, 1, 1, channels)
            painted[images, :, rows, columns] = self._clipped(inside)
            return painted
        second = Windows.drawn(draws[:, 2:4], (height, width), window)
        pattern = bumps(*window, inputs.device)[(draws[:, 4] < 0.5).long()]
        bump = signs * first.placed(pattern, height, width)
        moved = _moved_length(points - inputs, bump, first.mask(height, width), second.mask(height, width), attack.epsilon)
        return self._clipped(inputs + attack.epsilon * _normalised(moved))

    def _clipped(self, points: Tensor) -> Tensor:
        return points.clamp(0, 1) if self._has_box else points


def _signs(uniform: Tensor) -> Tensor:
    return torch.where(uniform < 0.5, -1.0, 1.0)


def _normalised(delta: Tensor, dim: tuple[int, ...] = (1, 2, 3)) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(delta, dim=dim, keepdim=True)
    return delta / length.clamp_min(1e-12)


def _moved_length(delta: Tensor, bump: Tensor, first: Tensor, second: Tensor, epsilon: float) -> Tensor:
    """Takes the change out of both windows, and gives its length, and what the ball has left, to a new bump in the first."""
    squares = delta.square()
    spent = squares.sum(dim=(1, 2, 3), keepdim=True)
    freed = (squares * (first | second)).sum(dim=(2, 3), keepdim=True)
    added = _normalised(bump + _normalised(delta * first, (2, 3)), (2, 3))
    length = ((epsilon**2 - spent).clamp_min(0) / delta.shape[1] + freed).sqrt()
    return delta.masked_fill(first | second, 0) + added * length


def _grid(keys: SampleKeys, channels: int, height: int, width: int) -> Tensor:
    """Bumps side by side, a fifth of the shorter side each, with a sign of their own in each channel: (n, C, H, W)."""
    side = max(min(height, width) // 5, 1)
    rows, columns = height // side, width // side
    signs = _signs(keys.uniform("square/signs", 0, (channels, rows, columns)))
    lying = (keys.uniform("square/lying", 0, (rows, columns)) < 0.5).long()
    tiles = bumps(side, side, signs.device)[lying][:, None] * signs[..., None, None]
    grid = tiles.transpose(3, 4).reshape(-1, channels, rows * side, columns * side)
    top, left = (height - rows * side) // 2, (width - columns * side) // 2
    return nn.functional.pad(grid, (left, width - columns * side - left, top, height - rows * side - top))
