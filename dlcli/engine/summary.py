"""What a network is made of: layer by layer its shapes, parameters and multiply-adds, measured on one example."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dlcli.classifier import borrowed
from dlcli.randomness import borrowed_rng


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Args:
        name: dotted, inside the model; empty for the model itself.
        kind: the layer's class.
        output_shape: of one example, without the batch; None where the layer did not run by itself or gives no tensor.
        parameters: numbers of its own, those of inner layers not among them; what layers share counts at the first.
        macs: multiply-adds for one example, done by the layer itself: in convolutions, matrix products and attention's
            two products; all else (bias, norm, activation, pooling, softmax) counts nothing.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] | None
    parameters: int
    macs: int


def summarise(model: nn.Module, shape: Sequence[int]) -> list[LayerSummary]:
    """Returns the layers of ``model`` in the order in which they are registered.

    Listed is each module that holds parameters, multiplies, or has no modules inside; ``nn.Identity`` is not. What is
    computed beside the modules (``a @ b`` in a forward method) counts for the module whose method it is. One example of
    zeros runs through the model in evaluation mode on its own device; the model comes back as it was, and hooks are removed.

    Args:
        model: not compiled; compiled code ignores hooks that come later.
        shape: of one example, (C, H, W) or (D,).
    """
    names = {module: name for name, module in model.named_modules()}
    found = _measured(model, shape)
    seen: set[Tensor] = set()
    layers = []
    for module, name in names.items():
        own = set(module.parameters(recurse=False)) - seen
        seen |= own
        use = found.get(module, _Use())
        leaf = module in found and not any(module.children())
        if (own or use.macs or leaf) and not isinstance(module, nn.Identity):
            parameters = sum(parameter.numel() for parameter in own)
            layers.append(LayerSummary(name, type(module).__name__, use.output_shape, parameters, use.macs))
    return layers


def total(layers: Sequence[LayerSummary]) -> LayerSummary:
    """Returns the sums of parameters and multiply-adds, with the output shape of the last layer that ran."""
    shapes = [layer.output_shape for layer in layers if layer.output_shape is not None]
    parameters, macs = (sum(values) for values in zip(*((layer.parameters, layer.macs) for layer in layers), strict=True))
    return LayerSummary("total", "", shapes[-1] if shapes else None, parameters, macs)


@dataclass
class _Use:
    """What a module did in the example's forward pass, all its calls together."""

    output_shape: tuple[int, ...] | None = None
    macs: int = 0


@dataclass
class _Frame:
    """A module's call that is going on: the count when it began, and what modules inside it did since."""

    start: int
    inner: int = field(default=0)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the multiply-adds of every operation that PyTorch is asked for."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        count = _COUNTS.get(func.overloadpacket.__name__)
        if count is not None:
            self.macs += count(result, *args)
        return result


def _measured(model: nn.Module, shape: Sequence[int]) -> dict[nn.Module, _Use]:
    """What each module that runs does for one example."""
    counter, stack = _Counter(), [_Frame(0)]
    uses: dict[nn.Module, _Use] = {}

    def enter(module: nn.Module, arguments: Any) -> None:
        stack.append(_Frame(counter.macs))

    def leave(module: nn.Module, arguments: Any, output: Any) -> None:
        frame = stack.pop()
        all_together = counter.macs - frame.start
        stack[-1].inner += all_together
        use = uses.setdefault(module, _Use())
        use.macs += all_together - frame.inner
        use.output_shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else None

    tensors = itertools.chain(model.parameters(), model.buffers())
    device = next((tensor.device for tensor in tensors), torch.device("cpu"))
    handles = []
    try:
        for module in model.modules():
            handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
        with borrowed(model), borrowed_rng(), _plain_attention(), torch.no_grad(), counter:
            model(torch.zeros(1, *shape, device=device))
    finally:
        for handle in handles:
            handle.remove()
    return uses


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Keeps nn.MultiheadAttention from its one fused operation, in which no products can be seen."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _of_product(result: Tensor, left: Tensor, right: Tensor, *others: Any) -> int:
    return result.numel() * left.shape[-1]


def _of_sum_and_product(result: Tensor, added: Tensor, left: Tensor, right: Tensor, *others: Any) -> int:
    return result.numel() * left.shape[-1]


def _of_convolution(result: Tensor, inputs: Tensor, weight: Tensor, *others: Any) -> int:
    """Each position of the output (of the input, where transposed) uses each weight once."""
    transposed = others[4]
    positions = (inputs if transposed else result).shape[2:]
    return len(inputs) * math.prod(positions) * weight.numel()


def _of_attention(result: Any, queries: Tensor, keys: Tensor, values: Tensor, *others: Any) -> int:
    """q kᵀ and its product with v, for queries (N, heads, T, d), keys (N, heads, S, d) and values (N, heads, S, e)."""
    return queries.numel() * keys.shape[-2] + math.prod(queries.shape[:-1]) * values.shape[-2] * values.shape[-1]


_COUNTS: Mapping[str, Callable[..., int]] = {
    "mm": _of_product,
    "bmm": _of_product,
    "mv": _of_product,
    "linear": _of_product,
    "addmm": _of_sum_and_product,
    "baddbmm": _of_sum_and_product,
    "addmv": _of_sum_and_product,
    "convolution": _of_convolution,
    "_scaled_dot_product_flash_attention": _of_attention,
    "_scaled_dot_product_flash_attention_for_cpu": _of_attention,
    "_scaled_dot_product_efficient_attention": _of_attention,
    "_scaled_dot_product_cudnn_attention": _of_attention,
    "_scaled_dot_product_fused_attention_overrideable": _of_attention,
}
