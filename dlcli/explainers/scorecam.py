"""Score-CAM: how much of the class each feature map shows when it is all that is let through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.classifier import Classifier, borrowed
from dlcli.explainers.cut import check_layer, chosen_layer, enlarged, maps_and_gradients, placed
from dlcli.explainers.layers import unwrapped
from dlcli.explainers.logits import target_logits
from dlcli.randomness import SampleKeys, borrowed_rng


@dataclass(frozen=True, kw_only=True)
class ScoreCAM:
    """Score-CAM (Wang et al. 2020, equations 5 to 7).

    Each map A_k of the layer, enlarged and brought to [0, 1], is a mask H_k over the image; what it hides shows the mean colour
    of the model's preprocessing, which is zero after it. The weights are the softmax over k of the class's logits of the masked
    images (a baseline would change nothing, as softmax is free of shifts), and the map is ReLU(Σ_k w_k A_k). A map that is the
    same everywhere is no mask, and gets no weight. It costs a forward pass for each map, and no gradient is looked at.

    Args:
        layer: dotted name of a layer with a spatial map, or "auto" for :func:`dlcli.explainers.layers.spatial_layer`'s choice.
        channels: None masks with all maps; a number with so many of the largest mean, which is an approximation.
        chunk: masked images at once; results do not depend on it.
    """

    layer: str = "auto"
    channels: int | None = None
    chunk: int = 64
    kind: ClassVar[str] = "explainer"

    def __post_init__(self) -> None:
        check_layer(self.layer)
        for name, value in (("channels", self.channels), ("chunk", self.chunk)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")

    def layer_for(self, model: nn.Module, inputs: Tensor) -> str:
        """Returns the name of the layer that is looked at. Raises what calling the explainer raises."""
        return chosen_layer(self.layer, model, inputs, explainer="scorecam")[0]

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W), not normalised; draws nothing.

        Raises:
            UsageError: "auto" finds no layer with a spatial map.
            ValueError: the named layer does not exist, has no spatial map, or does not run exactly once.
        """
        layer = chosen_layer(self.layer, model, inputs, explainer="scorecam")
        maps, _ = maps_and_gradients(model, layer, inputs, targets)
        with borrowed(model), borrowed_rng(), torch.no_grad():
            rows = [self._one(model, *row) for row in zip(maps, inputs, targets, strict=True)]
            cam = torch.stack(rows) if rows else maps.sum(dim=1)
            return enlarged(cam, model, inputs)

    def _one(self, model: nn.Module, maps: Tensor, image: Tensor, target: Tensor) -> Tensor:
        """The map (h, w) of one image (C, H, W)."""
        low, high = maps.amin(dim=(1, 2)), maps.amax(dim=(1, 2))
        order = maps.mean(dim=(1, 2)).argsort(descending=True, stable=True)
        kept = [channel for channel in order[: self.channels].tolist() if high[channel] > low[channel]]
        if not kept:
            return torch.zeros_like(maps[0])
        chosen = maps[kept]
        masks = (chosen - low[kept, None, None]) / (high - low)[kept, None, None]
        scores = [self._scores(model, part, image, target) for part in torch.split(masks, self.chunk)]
        return (torch.cat(scores).softmax(dim=0)[:, None, None] * chosen).sum(dim=0).relu()

    def _scores(self, model: nn.Module, masks: Tensor, image: Tensor, target: Tensor) -> Tensor:
        shown = placed(masks, model, image[None], corners=True)[:, None]
        inside = unwrapped(model)
        hidden = inside.mean.clamp(0, 1) if isinstance(inside, Classifier) else image.new_zeros(())
        if hidden.ndim and hidden.shape[1] != len(image):
            hidden = hidden.mean(dim=1, keepdim=True)
        masked = (hidden + shown * (image[None] - hidden)).to(image.dtype)
        return target_logits(model(masked), target.expand(len(masks))).float()
