"""Ablation-CAM: how much the class's logit falls when a feature map is taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed
from dlcli.explainers.cut import Cut, check_layer, chosen_layer, enlarged
from dlcli.explainers.layers import uncompiled, unwrapped
from dlcli.explainers.logits import target_logits
from dlcli.randomness import SampleKeys, borrowed_rng

_TINY = 1e-8


@dataclass(frozen=True, kw_only=True)
class AblationCAM:
    """Ablation-CAM (Desai and Ramaswamy 2020, equations 3 and 4).

    With y the class's logit and y_k the logit with map A_k at zero, w_k = (y - y_k) / |y|, and the map is ReLU(Σ_k w_k A_k). The
    paper divides by y itself, which turns every weight where the logit is negative. No gradient is looked at.

    What comes before the layer runs once: its ablated answers are put in its place, all maps of an image together. Where
    something passes the layer by, which shows in logits that differ, the whole network runs for each of them.

    Args:
        layer: dotted name of a layer with a spatial map, or "auto" for :func:`dlcli.explainers.layers.spatial_layer`'s choice.
        chunk: ablated answers at once; results do not depend on it.
    """

    layer: str = "auto"
    chunk: int = 256
    kind: ClassVar[str] = "explainer"

    def __post_init__(self) -> None:
        check_layer(self.layer)
        if self.chunk < 1:
            raise ValueError(f"chunk must be at least 1, got {self.chunk}")

    def layer_for(self, model: nn.Module, inputs: Tensor) -> str:
        """Returns the name of the layer that is looked at. Raises what calling the explainer raises."""
        return chosen_layer(self.layer, model, inputs, explainer="ablationcam")[0]

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W), not normalised; draws nothing.

        Raises:
            UsageError: "auto" finds no layer with a spatial map.
            ValueError: the named layer does not exist, has no spatial map, or does not run exactly once.
        """
        name, layer = chosen_layer(self.layer, model, inputs, explainer="ablationcam")
        cut, inside = Cut(name), unwrapped(model)
        with borrowed(model), borrowed_rng(), uncompiled(model), torch.no_grad():
            with cut.grid.watching(inside):
                logits = _answered(inside, layer, inputs, cut)
            whole = target_logits(logits, targets).float()
            answers, layout = cut.taken()
            answers = answers.detach()
            maps = layout.maps(answers).float()
            channels = torch.arange(maps.shape[1], device=maps.device)
            falls = torch.zeros(maps.shape[:2], device=maps.device)
            for row, answer in enumerate(torch.split(answers, 1)):
                image, target = inputs[row : row + 1], targets[row : row + 1]
                alone = not _same(inside, layer, image, answer, logits[row : row + 1])
                for part in torch.split(channels, self.chunk):
                    found = _answered(
                        inside,
                        layer,
                        image.expand(len(part), *image.shape[1:]) if alone else image,
                        _put(layout.without(answer, part)),
                    )
                    falls[row, part] = whole[row] - target_logits(found, target.expand(len(part))).float()
            weights = falls / (whole.abs() + _TINY)[:, None]
            return enlarged((weights[:, :, None, None] * maps).sum(dim=1).relu(), model, inputs)


def _answered(model: nn.Module, layer: nn.Module, inputs: Tensor, hook: Callable[..., Tensor]) -> Tensor:
    """The model's logits with a hook on the layer."""
    handle = layer.register_forward_hook(hook)
    try:
        logits: Tensor = model(inputs.clone())
    finally:
        handle.remove()
    return logits


def _put(answer: Tensor) -> Callable[..., Tensor]:
    """A hook that answers in the layer's place."""
    return lambda module, arguments, output: answer.clone()


def _same(model: nn.Module, layer: nn.Module, image: Tensor, answer: Tensor, logits: Tensor) -> bool:
    """Whether two copies of the answer, for one image, give its logits twice: then nothing passes the layer by."""
    try:
        found = _answered(model, layer, image, _put(answer.repeat(2, *[1] * (answer.ndim - 1))))
    except RuntimeError:  # shapes that do not go together
        return False
    return found.shape[0] == 2 and torch.allclose(found.float(), logits.float().expand(2, -1), rtol=1e-3, atol=1e-4)
