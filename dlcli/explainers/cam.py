"""Class activation maps from a layer's maps and their gradients: what all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from dlcli.explainers.cut import check_layer, chosen_layer, enlarged, maps_and_gradients
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class GradientCAM(ABC):
    """A map made of a layer's maps A and the gradients g of the class's logit with respect to them.

    Args:
        layer: dotted name of a layer with a spatial map, or "auto" for :func:`dlcli.explainers.layers.spatial_layer`'s choice.
    """

    layer: str = "auto"
    kind: ClassVar[str] = "explainer"
    title: ClassVar[str]

    def __post_init__(self) -> None:
        check_layer(self.layer)

    @abstractmethod
    def combine(self, maps: Tensor, gradients: Tensor) -> Tensor:
        """Returns one map per example, (N, h, w), of A and g, both float32 (N, C, h, w)."""

    def layer_for(self, model: nn.Module, inputs: Tensor) -> str:
        """Returns the name of the layer that is looked at. Raises what calling the explainer raises."""
        return chosen_layer(self.layer, model, inputs, explainer=self.title)[0]

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W), not normalised; draws nothing.

        Raises:
            UsageError: "auto" finds no layer with a spatial map.
            ValueError: the named layer does not exist, has no spatial map, or does not run exactly once.
        """
        return together({"": self}, model, inputs, targets)[""]


def together(explainers: Mapping[str, GradientCAM], model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Returns the maps of several explainers by their names; those of one layer share a forward and a backward pass.

    Raises what calling them raises.
    """
    found: dict[str, tuple[Tensor, Tensor]] = {}
    results = {}
    for name, explainer in explainers.items():
        if explainer.layer not in found:
            layer = chosen_layer(explainer.layer, model, inputs, explainer=explainer.title)
            found[explainer.layer] = maps_and_gradients(model, layer, inputs, targets)
        results[name] = enlarged(explainer.combine(*found[explainer.layer]), model, inputs)
    return results
