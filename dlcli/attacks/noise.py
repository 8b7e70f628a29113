"""Random noise of the same size: the null that an attack must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from dlcli.attacks.balls import Norm, boxed, check_box, check_epsilon
from dlcli.attacks.starts import in_ball
from dlcli.contracts import Threat, keys_or_default
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class Noise:
    """A point drawn uniformly from the ball around each input; the model, targets and goals do not matter.

    Images are clipped to [0, 1]; tables are not clipped. Unlike an attack it spares nobody: it may also put an example right.

    Args:
        epsilon: radius in raw units; at least 0, in Linf at most 1.
        norm: "linf" or "l2".
    """

    epsilon: float
    norm: Norm = "linf"
    kind: ClassVar[str] = "attack"
    aims: ClassVar[bool] = False

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
        check_box(inputs)
        keys = keys_or_default(rng, inputs)
        change = in_ball(keys, "noise", 0, tuple(inputs.shape[1:]), norm=self.norm, epsilon=self.epsilon)
        return boxed(inputs.detach() + change.to(inputs.dtype))
