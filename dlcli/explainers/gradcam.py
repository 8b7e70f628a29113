"""Grad-CAM: where the last feature maps speak for a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed
from dlcli.explainers.layers import layer_named, spatial_layer, uncompiled, unwrapped
from dlcli.explainers.logits import target_logits
from dlcli.randomness import SampleKeys, borrowed_rng


@dataclass(frozen=True, kw_only=True)
class GradCAM:
    """Gradient-weighted class activation maps (Selvaraju et al. 2017, equations 1 and 2).

    With A the maps of the layer and y the logit of the class, α_k is the mean over positions of ∂y/∂A_k, and the map
    is ReLU(Σ_k α_k A_k): never negative, as in the paper, zero where nothing speaks for the class, and not
    normalised. It is resized to the input bilinearly (corners not aligned).

    The graph is cut at the layer: what comes before keeps no activations, and what comes after may work in place.

    Args:
        layer: dotted name of a layer whose output is (N, C, h, w), or "auto" for :func:`spatial_layer`'s choice.
    """

    layer: str = "auto"
    kind: ClassVar[str] = "explainer"

    def __post_init__(self) -> None:
        if not self.layer:
            raise ValueError("layer must be 'auto' or the name of a layer, got ''")

    def layer_for(self, model: nn.Module, inputs: Tensor) -> str:
        """Returns the name of the layer that is looked at. Raises what calling the explainer raises."""
        return self._layer(model, inputs)[0]

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: SampleKeys | None = None) -> Tensor:
        """Returns maps for the classes ``targets``, float32 (N, H, W), at least 0; draws nothing.

        Raises:
            UsageError: "auto" finds no layer with a spatial map.
            ValueError: the named layer does not exist, has no spatial map, or does not run exactly once.
        """
        name, layer = self._layer(model, inputs)
        with borrowed(model), borrowed_rng(), uncompiled(model), torch.inference_mode(False):
            maps, gradients = _maps_and_gradients(unwrapped(model), (name, layer), inputs, targets)
        weights = gradients.mean(dim=(2, 3), keepdim=True)
        cam = (weights * maps).sum(dim=1, keepdim=True).relu()
        return nn.functional.interpolate(cam, size=inputs.shape[2:], mode="bilinear", align_corners=False)[:, 0]

    def _layer(self, model: nn.Module, inputs: Tensor) -> tuple[str, nn.Module]:
        if self.layer == "auto":
            return spatial_layer(model, inputs)
        return self.layer, layer_named(model, self.layer)


def _maps_and_gradients(
    model: nn.Module, named_layer: tuple[str, nn.Module], inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the layer's maps and the gradients of the target logits with respect to them, both float32 (N, C, h, w)."""
    name, layer = named_layer
    leaves: list[Tensor] = []

    def cut(module: nn.Module, arguments: tuple[object, ...], output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim != 4:
            raise ValueError(f"layer must have a spatial map (N, C, h, w), '{name}' has none")
        leaves.append(output.detach().requires_grad_())
        # What follows gets a copy, as it may work in place: that would change the maps (pytorch#61519).
        return leaves[-1].clone()

    handle = layer.register_forward_hook(cut)
    try:
        with torch.enable_grad():
            wanted = target_logits(model(inputs.detach().clone()), targets.clone()).float().sum()
    finally:
        handle.remove()
    if len(leaves) != 1:
        raise ValueError(f"layer must run once in a forward pass, '{name}' runs {len(leaves)} times")
    maps = leaves[0]
    if not wanted.requires_grad:
        return maps.detach().float(), torch.zeros_like(maps, dtype=torch.float32)
    (gradients,) = torch.autograd.grad(wanted, maps, materialize_grads=True)
    return maps.detach().float(), gradients.float()
