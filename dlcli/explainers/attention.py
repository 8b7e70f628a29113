"""What a network of attention attends to: the weights of each layer, taken while it runs."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed
from dlcli.errors import UsageError
from dlcli.explainers.layers import Grid, uncompiled, unwrapped
from dlcli.randomness import borrowed_rng

# One linear layer for queries, keys and values, and the number of heads: as timm and as this project name them.
_FUSED = (("qkv", "num_heads"), ("queries_keys_values", "heads"))


def attention_weights(model: nn.Module, inputs: Tensor) -> tuple[list[Tensor], tuple[int, int]]:
    """Returns each attention layer's weights, the mean over heads, (N, T, T) with rows that sum to 1, and the patches' grid.

    Attention that is computed in one fused step keeps no weights: they are found again from what the layer was given.

    Raises:
        UsageError: the model has no attention over all patches of an image.
    """
    inside, grid = unwrapped(model), Grid()
    found: list[Tensor] = []

    def watch(module: nn.Module, arguments: tuple[Tensor, ...], output: object) -> None:
        found.append(_weights(module, arguments).detach().float())

    with ExitStack() as stack, borrowed(model), borrowed_rng(), uncompiled(model), torch.no_grad():
        stack.enter_context(grid.watching(inside))
        for module in inside.modules():
            if isinstance(module, nn.MultiheadAttention) or _fused(module) is not None:
                stack.callback(module.register_forward_hook(watch).remove)
        inside(inputs)
    words = {weights.shape for weights in found}
    patches = 0 if grid.size is None else grid.size[0] * grid.size[1]
    if grid.size is None or len(words) != 1 or any(shape[0] != len(inputs) or shape[1] < patches for shape in words):
        raise UsageError("attention_rollout needs attention over all patches; this model has none", hint="dl explain gradcam")
    return found, grid.size


def _fused(module: nn.Module) -> tuple[nn.Linear, int] | None:
    """The linear layer that makes queries, keys and values, and the number of heads."""
    for linear, heads in _FUSED:
        made, count = getattr(module, linear, None), getattr(module, heads, None)
        if isinstance(made, nn.Linear) and isinstance(count, int) and made.out_features == 3 * made.in_features:
            return made, count
    return None


def _weights(module: nn.Module, arguments: tuple[Tensor, ...]) -> Tensor:
    """The mean over heads of softmax(q kᵀ / √d) (Vaswani et al. 2017, equation 1)."""
    if isinstance(module, nn.MultiheadAttention):
        query, key, value = arguments[:3]
        _, weights = module.forward(query, key, value, need_weights=True)
        assert weights is not None
        return weights
    fused = _fused(module)
    assert fused is not None
    (linear, heads), words = fused, arguments[0]
    queries, keys, _ = linear(words).reshape(*words.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)
    norms = [getattr(module, name, None) for name in ("q_norm", "k_norm")]
    queries, keys = (norm(part) if norm is not None else part for norm, part in zip(norms, (queries, keys), strict=True))
    scores: Tensor = queries @ keys.transpose(2, 3) / queries.shape[-1] ** 0.5
    return scores.softmax(dim=-1).mean(dim=1)
