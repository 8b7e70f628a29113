"""Random noise of the same size: the null that an attack must beat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from dlcli.attacks.balls import Norm, boxed, check_epsilon, steepest
from dlcli.contracts import Threat, keys_or_default
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class Noise:
    """A point drawn uniformly from the ball around each input; the model, targets and goals do not matter.

    In L2 the direction is uniform on the sphere and the radius is ε · u^(1/d): with u alone, points would crowd at
    the centre. Images are clipped to [0, 1]; tables are not clipped.

    Args:
        epsilon: radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
    """

    epsilon: float
    norm: Norm = "linf"
    kind: ClassVar[str] = "attack"

    def __post_init__(self) -> None:
        check_epsilon(self.epsilon, self.norm)

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
        """Returns noisy inputs; the same example and key always get the same noise."""
        keys = keys_or_default(rng, inputs)
        return boxed(inputs.detach() + self._draw(keys, tuple(inputs.shape[1:])).to(inputs.dtype))

    def _draw(self, keys: SampleKeys, shape: tuple[int, ...]) -> Tensor:
        """Returns changes of the given shape, float32 (N, *shape)."""
        if self.norm == "linf":
            return keys.uniform("noise", 0, shape, low=-self.epsilon, high=self.epsilon)
        direction = steepest(keys.normal("noise/direction", 0, shape), "l2")
        radius = self.epsilon * keys.uniform("noise/radius", 0) ** (1 / math.prod(shape))
        return direction * radius.reshape(-1, *[1] * len(shape))
