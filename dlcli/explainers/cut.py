"""The maps of a layer, and the gradients that reach them, with the graph cut at the layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcli.classifier import Classifier, borrowed
from dlcli.explainers.layers import Grid, layer_named, spatial_layer, uncompiled, unwrapped
from dlcli.explainers.layouts import Layout, layout_of
from dlcli.explainers.logits import target_logits
from dlcli.randomness import borrowed_rng


def check_layer(layer: str) -> None:
    """Raises ValueError for a name that no layer has."""
    if not layer:
        raise ValueError("layer must be 'auto' or the name of a layer, got ''")


def chosen_layer(layer: str, model: nn.Module, inputs: Tensor, *, explainer: str) -> tuple[str, nn.Module]:
    """Returns the layer that "auto" or a name stands for. Raises UsageError or ValueError."""
    return spatial_layer(model, inputs, explainer=explainer) if layer == "auto" else (layer, layer_named(model, layer))


class Cut:
    """A hook that takes a layer's answer out of the graph, and lets what follows go on from a copy of it.

    What comes before keeps no activations, and what comes after may work in place, which would change the maps
    (pytorch#61519).

    Args:
        name: of the layer, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name, self.grid = name, Grid()
        self.leaves: list[Tensor] = []
        self.layout: Layout | None = None

    def __call__(self, module: nn.Module, arguments: object, output: object) -> Tensor:
        """Keeps the answer, and returns a copy. Raises ValueError where it holds no map."""
        self.grid.note(module, output)
        self.layout = layout_of(module, output, self.grid.size)
        if self.layout is None or not isinstance(output, Tensor):
            raise ValueError(f"layer must have a spatial map (N, C, h, w), '{self.name}' has none")
        self.leaves.append(output.detach().requires_grad_())
        return self.leaves[-1].clone()

    def taken(self) -> tuple[Tensor, Layout]:
        """Returns the answer, a leaf, and its layout. Raises ValueError where the layer did not run exactly once."""
        if len(self.leaves) != 1 or self.layout is None:
            raise ValueError(f"layer must run once in a forward pass, '{self.name}' runs {len(self.leaves)} times")
        return self.leaves[0], self.layout


def maps_and_gradients(
    model: nn.Module, named_layer: tuple[str, nn.Module], inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns a layer's maps and the gradients of the target logits with respect to them, both float32 (N, C, h, w).

    Raises:
        ValueError: the layer has no spatial map, or does not run exactly once.
    """
    name, layer = named_layer
    cut = Cut(name)
    inside = unwrapped(model)
    with borrowed(model), borrowed_rng(), uncompiled(model), torch.inference_mode(False), cut.grid.watching(inside):
        handle = layer.register_forward_hook(cut)
        try:
            with torch.enable_grad():
                wanted = target_logits(inside(inputs.detach().clone()), targets.clone()).float().sum()
        finally:
            handle.remove()
        leaf, layout = cut.taken()
        if wanted.requires_grad:
            (gradients,) = torch.autograd.grad(wanted, leaf, materialize_grads=True)
        else:
            gradients = torch.zeros_like(leaf)
    return layout.maps(leaf.detach()).float(), layout.maps(gradients).float()


def enlarged(cam: Tensor, model: nn.Module, inputs: Tensor) -> Tensor:
    """Returns low maps (N, h, w) at the size of the inputs, (N, H, W); bilinear, corners not aligned.

    Where the model cuts out the middle of an image, the map lies there, and is zero around it.
    """
    return placed(cam, model, inputs, corners=False)


def placed(cam: Tensor, model: nn.Module, inputs: Tensor, *, corners: bool) -> Tensor:
    """Returns what :func:`enlarged` returns; with ``corners`` those of map and image are aligned."""
    height, width = inputs.shape[2:]
    top, left, bottom, right = _seen(unwrapped(model), height, width)
    size = (bottom - top, right - left)
    inner = nn.functional.interpolate(cam[:, None], size=size, mode="bilinear", align_corners=corners)
    return nn.functional.pad(inner[:, 0], (left, width - right, top, height - bottom))


def _seen(model: nn.Module, height: int, width: int) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of what the network sees of an image, in its pixels."""
    resize = model.preprocessing.resize if isinstance(model, Classifier) else None
    if resize is None:
        return 0, 0, height, width
    assert isinstance(model, Classifier)
    inner, scale = model.preprocessing.shape[1:], min(height, width) / resize
    rows, columns = (min(own, round(side * scale)) for own, side in zip((height, width), inner, strict=True))
    top, left = (height - rows) // 2, (width - columns) // 2
    return top, left, top + rows, left + columns
