"""Finding the layer whose maps to explain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed
from dlcli.errors import UsageError, did_you_mean
from dlcli.explainers.layouts import Layout, layout_of
from dlcli.randomness import borrowed_rng

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class LayerRow:
    """A layer as a list of layers shows it.

    Args:
        name: dotted.
        kind: name of its class.
        shape: of its answer to one example, without the batch; empty where the answer is no tensor, or it never ran.
        usable: it has a spatial map and runs once.
        cells: of that map, h and w.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    usable: bool
    cells: tuple[int, int] | None = None


@dataclass(frozen=True)
class _Call:
    """A module's answer to one example; its layout is None where it holds no map."""

    name: str
    module: nn.Module
    shape: tuple[int, ...]
    layout: Layout | None


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


def spatial_layer(model: nn.Module, inputs: Tensor, *, explainer: str = "gradcam") -> tuple[str, nn.Module]:
    """Returns the name of the layer whose maps say most, and the layer; found by running one example.

    Convolutional networks: the last module to answer with a map (N, C, h, w), h, w > 1, of the same size as the last
    convolution's: so it comes after the convolution's norm and activation, and before pooling. A block that adds a shortcut
    counts as one module, so its sum is seen, too. A module that runs more than once has no one map, and is passed over.
    Sequences are opened, as their last member says more.

    Networks of attention whose maps do not come back as (N, C, h, w): a norm of the last block. Where a class token is read,
    the first one, as what the last attention makes of the patches nobody reads; else the last one.

    Args:
        explainer: who needs the layer, in messages.

    Raises:
        UsageError: no layer has a spatial map (a plain multilayer perceptron, a table).
    """
    calls = _calls(unwrapped(model), inputs[:1])
    runs = Counter(call.module for call in calls)
    chosen = _norm_of_last_attention(calls, runs) or _last_of_last_convolution(calls, runs)
    if chosen is None:
        reason = f"{explainer} needs a layer with a spatial map; this model has none"
        raise UsageError(reason, hint="dl explain saliency")
    return chosen.name, chosen.module


def layer_table(model: nn.Module, inputs: Tensor) -> list[LayerRow]:
    """Returns what can be typed as a layer: all modules inside ``model``, in its order, as one example shows them."""
    layers, calls = _layers(model), _calls(unwrapped(model), inputs[:1])
    runs = Counter(call.module for call in calls)
    first = {id(call.module): call for call in reversed(calls)}
    rows = []
    for name, module in layers.items():
        call = first.get(id(module))
        usable = call is not None and call.layout is not None and runs[module] == 1
        cells = None if call is None or call.layout is None else call.layout.size
        rows.append(LayerRow(name, type(module).__name__, () if call is None else call.shape, usable, cells))
    return rows


def _last_of_last_convolution(calls: list[_Call], runs: Counter[nn.Module]) -> _Call | None:
    spatial = [call for call in calls if call.layout is not None and call.layout.order == "channels_first"]
    sizes = _sizes([call for call in spatial if isinstance(call.module, _CONVOLUTIONS)]) or _sizes(spatial)
    fitting = [call for call in spatial if _sizes([call]) == sizes[-1:] and runs[call.module] == 1]
    if not fitting:
        return None
    chosen, known = fitting[-1], {call.name: call for call in fitting}
    while isinstance(chosen.module, nn.Sequential) and (last := _last_member(chosen)) in known:
        chosen = known[last]
    return chosen


def _norm_of_last_attention(calls: list[_Call], runs: Counter[nn.Module]) -> _Call | None:
    places = [place for place, call in enumerate(calls) if "attention" in type(call.module).__name__.casefold()]
    if not places:
        return None
    grid = _sizes([call for call in calls if isinstance(call.module, _CONVOLUTIONS) and call.layout is not None])[-1:]
    later = [call for call in calls[places[0] :] if call.layout is not None and call.layout.order == "channels_first"]
    if any(_sizes([call]) == grid for call in later):
        return None  # maps come back after attention, so the last of them is as good as any convolution's
    block = calls[places[-1]].name.rpartition(".")[0] + "."
    norms = [call for call in calls if call.name.startswith(block) and isinstance(call.module, nn.LayerNorm)]
    norms = [call for call in norms if call.layout is not None and runs[call.module] == 1]
    if not norms:
        return None
    layout = norms[0].layout
    assert layout is not None
    return norms[0] if layout.prefix else norms[-1]


def _sizes(calls: list[_Call]) -> list[tuple[int, int]]:
    return [call.layout.size for call in calls if call.layout is not None]


def _last_member(call: _Call) -> str:
    """Returns the name of the last module in a sequence."""
    return f"{call.name}.{next(reversed(call.module._modules), '')}"


def _calls(model: nn.Module, inputs: Tensor) -> list[_Call]:
    """Returns the modules' answers to an example, in the order in which they finish."""
    calls: list[_Call] = []
    grid = Grid()

    def watch(name: str, module: nn.Module) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, arguments: object, output: object) -> None:
            grid.note(module, output)
            shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
            calls.append(_Call(name, module, shape, layout_of(module, output, grid.size)))

        return hook

    with ExitStack() as stack:
        for name, module in _layers(model).items():
            stack.callback(module.register_forward_hook(watch(name, module)).remove)
        with borrowed(model), borrowed_rng(), uncompiled(model), torch.no_grad():
            model(inputs)
    return calls


class Grid:
    """The size of the last convolution's map so far, which tells what words are the positions of."""

    def __init__(self) -> None:
        self.size: tuple[int, int] | None = None

    def note(self, module: nn.Module, output: object) -> None:
        """Takes a module's answer into account."""
        if isinstance(module, _CONVOLUTIONS) and isinstance(output, Tensor) and output.ndim == 4:
            self.size = (output.shape[2], output.shape[3])

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """A context in which the convolutions of ``model`` are watched."""
        with ExitStack() as stack:
            for module in model.modules():
                if isinstance(module, _CONVOLUTIONS):
                    hook = module.register_forward_hook(lambda module, arguments, output: self.note(module, output))
                    stack.callback(hook.remove)
            yield
