"""Rotations and translations: the pixels move and keep their values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from dlcli.attacks.ascent import check_counts
from dlcli.attacks.examples import Standing, lent
from dlcli.attacks.gradients import first_look, look
from dlcli.attacks.losses import log_odds, margin
from dlcli.contracts import Threat, keys_or_default
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class Spatial:
    """Rotates and shifts images (Engstrom et al. 2019, "Exploring the landscape of spatial robustness", §3).

    An image is turned about its centre by up to ``rotation`` degrees, then shifted by up to ``translation`` of its width and of
    its height; it is read between its pixels linearly, and what comes in from outside is black. "grid" tries all of an even grid,
    "random" the worst of ``samples`` moves. What comes back is the first that fools the model, else that of highest margin (with
    ``goals``: that where the goal is likeliest). It needs no gradient. There is no ball: pixel by pixel the change may be large.

    Args:
        rotation: largest angle in degrees, in [0, 180]; 30 as in the paper.
        translation: largest shift as a share of the side, in [0, 1]; 0.1 is the paper's 3 pixels of 28 and of 32.
        search: "grid" or "random".
        rotations, translations: values of the grid for the angle and for either shift, at least 1; 31 and 5 as in the paper.
        samples: random moves; at least 1. 10 as in the paper.
    """

    rotation: float = 30.0
    translation: float = 0.1
    search: Literal["grid", "random"] = "grid"
    rotations: int = 31
    translations: int = 5
    samples: int = 10
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_counts(rotations=self.rotations, translations=self.translations, samples=self.samples)
        if not 0 <= self.rotation <= 180:
            raise ValueError(f"rotation must be in [0, 180] degrees, got {self.rotation}")
        if not 0 <= self.translation <= 1:
            raise ValueError(f"translation must be in [0, 1], a share of the side, got {self.translation}")
        if self.search not in {"grid", "random"}:
            raise ValueError(f"search must be 'grid' or 'random', got {self.search!r}")

    @property
    def threat(self) -> Threat:
        return Threat("spatial", None)

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        *,
        rng: SampleKeys | None = None,
        goals: Tensor | None = None,
    ) -> Tensor:
        """Returns moved images; misclassified examples (with goals: those taken for their goal) stay as they are.

        Raises:
            ValueError: ``inputs`` are no images.
        """
        if inputs.ndim != 4:
            raise ValueError(f"spatial moves images (N, C, H, W), got {tuple(inputs.shape)}")
        loss = margin if goals is None else log_odds
        with lent(model, inputs, targets, rng=rng, goals=goals) as examples:
            standing = Standing(examples)
            seen = first_look(model, examples, loss, gradient=False)
            standing.offer(examples.inputs, seen.values, examples.fooled(seen.logits))
            for moves in self._moves(examples.keys):
                if not len(standing.rows):
                    break
                active = examples.take(standing.rows)
                points = moved(active.inputs, *moves[standing.rows].unbind(dim=1))
                seen = look(model, points, active, loss, gradient=False)
                standing.offer(points, seen.values, active.fooled(seen.logits))
            return standing.result()

    def _moves(self, keys: SampleKeys) -> Iterator[Tensor]:
        """What to try, each (N, 3): the angle in degrees, and the shifts right and down as shares of the side."""
        most = torch.tensor([self.rotation, self.translation, self.translation], device=keys.index.device)
        if self.search == "random":
            for turn in range(self.samples):
                yield most * keys.uniform("spatial", turn, (3,), low=-1, high=1)
            return
        angles, shifts = _even(self.rotations), _even(self.translations)
        for point in itertools.product(angles, shifts, shifts):
            yield (most * most.new_tensor(point)).expand(len(keys.index), 3)


@dataclass(frozen=True, kw_only=True)
class RandomMove:
    """One random move of the same range, whatever the model says: the null that :class:`Spatial` must beat.

    Args:
        rotation, translation: as of :class:`Spatial`.
    """

    rotation: float
    translation: float
    kind: ClassVar[str] = "attack"
    aims: ClassVar[bool] = False

    @property
    def threat(self) -> Threat:
        return Threat("spatial", None)

    def __call__(
        self,
        model: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        *,
        rng: SampleKeys | None = None,
        goals: Tensor | None = None,
    ) -> Tensor:
        """Returns moved images; the same example and key always move alike."""
        most = torch.tensor([self.rotation, self.translation, self.translation], device=inputs.device)
        drawn = most * keys_or_default(rng, inputs).uniform("spatial/null", 0, (3,), low=-1, high=1)
        return moved(inputs.detach(), *drawn.unbind(dim=1))


def moved(images: Tensor, angles: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Returns images (N, C, H, W) in [0, 1], turned anticlockwise about their centre and then shifted, each by its own.

    Args:
        angles: in degrees, (N,).
        right, down: shares of the width and of the height, (N,).
    """
    height, width = images.shape[2:]
    radians = (angles * (math.pi / 180))[:, None, None]
    cosine, sine = radians.cos(), radians.sin()
    # Centres of pixels, from the middle of the image and in pixels, as angles are between pixels and not between shares.
    rows = (torch.arange(height, device=images.device) - (height - 1) / 2)[None, :, None] - (down * height)[:, None, None]
    columns = (torch.arange(width, device=images.device) - (width - 1) / 2)[None, None, :] - (right * width)[:, None, None]
    # Where each pixel comes from; rows are counted downwards, so anticlockwise turns the other way round.
    sources = torch.stack(
        [(cosine * columns - sine * rows) * (2 / width), (sine * columns + cosine * rows) * (2 / height)], dim=3
    )
    read = nn.functional.grid_sample(images, sources.to(images.dtype), mode="bilinear", padding_mode="zeros", align_corners=False)
    return read.clamp(0, 1)


def _even(count: int) -> list[float]:
    """So many even values from -1 to 1; one alone is 0."""
    return [0.0] if count == 1 else [2 * step / (count - 1) - 1 for step in range(count)]
