"""Finding the layer whose maps to explain."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed
from dlcli.errors import UsageError, did_you_mean
from dlcli.randomness import borrowed_rng

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class _Call:
    """One module's answer with a spatial map: (N, C, h, w) with h, w > 1."""

    name: str
    module: nn.Module
    size: tuple[int, int]


def unwrapped(model: nn.Module) -> nn.Module:
    """Returns the module inside ``torch.compile`` and (Distributed)DataParallel."""
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return unwrapped(cast(nn.Module, model.module))
    inner = getattr(model, "_orig_mod", None)
    return unwrapped(inner) if isinstance(inner, nn.Module) else model


def uncompiled(model: nn.Module) -> AbstractContextManager[object]:
    """Returns a context in which compiled parts of ``model`` run as written.

    Danger: code that is already compiled ignores hooks that come later (pytorch#117758).
    """
    compiled = any(hasattr(part, "_orig_mod") or part._compiled_call_impl is not None for part in model.modules())
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()


def layer_names(model: nn.Module) -> list[str]:
    """Returns the dotted names of all modules inside ``model``, in the model's order."""
    return list(_layers(model))


def _layers(model: nn.Module) -> dict[str, nn.Module]:
    """Returns the modules inside ``model`` by the names that they have when nothing is compiled."""
    return {name.replace("._orig_mod", ""): module for name, module in unwrapped(model).named_modules() if name}


def layer_named(model: nn.Module, name: str) -> nn.Module:
    """Returns the module with this dotted name.

    Raises:
        ValueError: there is none.
    """
    layers = _layers(model)
    if name not in layers:
        raise ValueError(f"layer must be a layer of the model, got '{name}'{did_you_mean(name, layers)}")
    return layers[name]


def spatial_layer(model: nn.Module, inputs: Tensor) -> tuple[str, nn.Module]:
    """Returns the name of the last layer with a spatial map, and the layer; found by running one example.

    That is the last module to answer with a map (N, C, h, w), h, w > 1, of the same size as the last convolution's:
    so it comes after the convolution's norm and activation, and before pooling. A block that adds a shortcut counts
    as one module, so its sum is seen, too. A module that runs more than once has no one map, and is passed over.
    Sequences are opened, as their last member says more.

    Raises:
        UsageError: no layer has a spatial map (a plain multilayer perceptron, a table).
    """
    calls = _spatial_calls(unwrapped(model), inputs[:1])
    sizes = [call.size for call in calls if isinstance(call.module, _CONVOLUTIONS)] or [call.size for call in calls]
    runs = Counter(call.module for call in calls)
    fitting = [call for call in calls if call.size == sizes[-1] and runs[call.module] == 1]
    if not fitting:
        raise UsageError("gradcam needs a layer with a spatial map; this model has none", hint="dl explain saliency")
    chosen, known = fitting[-1], {call.name: call for call in fitting}
    while isinstance(chosen.module, nn.Sequential) and (last := _last_member(chosen)) in known:
        chosen = known[last]
    return chosen.name, chosen.module


def _last_member(call: _Call) -> str:
    """Returns the name of the last module in a sequence."""
    return f"{call.name}.{next(reversed(call.module._modules), '')}"


def _spatial_calls(model: nn.Module, inputs: Tensor) -> list[_Call]:
    """Returns the modules that answer with a spatial map, in the order in which they finish."""
    calls: list[_Call] = []
    handles = []

    def watch(name: str, module: nn.Module) -> None:
        def hook(module: nn.Module, arguments: tuple[object, ...], output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
                calls.append(_Call(name, module, (output.shape[2], output.shape[3])))

        handles.append(module.register_forward_hook(hook))

    try:
        for name, module in _layers(model).items():
            watch(name, module)
        with borrowed(model), borrowed_rng(), uncompiled(model), torch.no_grad():
            model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return calls
