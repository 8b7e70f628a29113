"""Looking into a network at several depths: what its layers answer, where, and to what they answer most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed
from dlcli.contracts import Split
from dlcli.randomness import SampleKeys, borrowed_rng

_POOLED = 4  # a probe sees maps averaged to 4 x 4, so that depths differ in what they know and not in how much they hold
_PROBED = 8  # examples that a receptive field is measured with
_RATE = 0.05


@dataclass(frozen=True)
class Depth:
    """A place in a network.

    Args:
        name: dotted, of the module that answers there.
        run: which of its runs in one forward pass.
        shape: of its answer to one example, (C, h, w) or (D,).
    """

    name: str
    run: int
    shape: tuple[int, ...]

    @property
    def is_spatial(self) -> bool:
        return len(self.shape) == 3


def depths_of(model: nn.Module, inputs: Tensor) -> list[Depth]:
    """Returns a place after each layer with weights but the last one: behind its norm, activation and pooling.

    It is the last module that answers before the next layer with weights begins, of those whose answer has as many dimensions.

    Args:
        inputs: one example or more.
    """
    groups: list[list[Depth]] = []
    runs: dict[str, int] = {}

    def watch(name: str, module: nn.Module) -> Callable[..., None]:
        def hook(_module: nn.Module, _arguments: tuple[object, ...], output: object) -> None:
            number = runs.get(name, 0)
            runs[name] = number + 1
            if not isinstance(output, Tensor) or output.ndim not in {2, 4}:
                return
            found = Depth(name, number, tuple(output.shape[1:]))
            weight = module._parameters.get("weight")
            if weight is not None and weight.ndim >= 2:
                groups.append([found])
            elif groups and len(groups[-1][0].shape) == len(found.shape):
                groups[-1].append(found)

        return hook

    leaves = {name: module for name, module in model.named_modules() if not list(module.children())}
    handles = [module.register_forward_hook(watch(name, module)) for name, module in leaves.items()]
    try:
        with torch.inference_mode(), borrowed(model), borrowed_rng():
            model(inputs[:1])
    finally:
        for handle in handles:
            handle.remove()
    return [group[-1] for group in groups[:-1]]


def answers(model: nn.Module, inputs: Tensor, depth: Depth) -> Tensor:
    """Returns what the network answers at a depth, (N, C, h, w) or (N, D); a gradient reaches ``inputs`` where they want one."""
    caught: list[Tensor] = []
    runs = 0

    def hook(_module: nn.Module, _arguments: tuple[object, ...], output: Tensor) -> None:
        nonlocal runs
        if runs == depth.run:
            caught.append(output.clone())  # what follows may work in place
        runs += 1

    handle = model.get_submodule(depth.name).register_forward_hook(hook)
    try:
        model(inputs)
    finally:
        handle.remove()
    return caught[0]


@dataclass(frozen=True, eq=False)
class Responses:
    """What a depth answers to a split.

    Args:
        features: for a linear probe, float32 (N, D), maps averaged to 4 x 4 at most.
        strongest: each channel's strongest answer, float32 (N, C).
        places: where it is, as a position in the flattened map, int64 (N, C).
    """

    features: Tensor
    strongest: Tensor
    places: Tensor


def responses(
    model: nn.Module, split: Split, depth: Depth, *, batch_size: int, check: Callable[[], None] = lambda: None
) -> Responses:
    """Returns what a depth answers to all examples, in evaluation mode, on the CPU."""
    features, strongest, places = [], [], []
    with torch.inference_mode(), borrowed(model), borrowed_rng():
        for batch in split.batches(torch.arange(len(split)), batch_size):
            check()
            found = answers(model, batch.inputs, depth).float()
            if found.ndim == 4:
                size = (min(_POOLED, found.shape[2]), min(_POOLED, found.shape[3]))
                features.append(nn.functional.adaptive_avg_pool2d(found, size).flatten(1).cpu())
                peak = found.flatten(2).max(dim=2)
                strongest.append(peak.values.cpu())
                places.append(peak.indices.cpu())
            else:
                features.append(found.cpu())
                strongest.append(found.cpu())
                places.append(torch.zeros(found.shape, dtype=torch.int64))
    return Responses(torch.cat(features).clone(), torch.cat(strongest).clone(), torch.cat(places).clone())


def receptive_field(model: nn.Module, inputs: Tensor, depth: Depth) -> tuple[int, int]:
    """Returns height and width, in input pixels, of what the middle of a depth's map depends on.

    Measured: the box around every pixel with a gradient, for any channel and any of the first 8 examples; where units are off it
    may come out too small.
    """
    with torch.inference_mode(False), torch.enable_grad(), borrowed(model), borrowed_rng():
        leaf = inputs[:_PROBED].clone().requires_grad_()
        found = answers(model, leaf, depth)
        if found.ndim != 4:
            return int(inputs.shape[2]), int(inputs.shape[3])
        middle = found[:, :, found.shape[2] // 2, found.shape[3] // 2]
        (slope,) = torch.autograd.grad(middle.sum(), leaf, materialize_grads=True)
    reached = (slope != 0).any(dim=0).any(dim=0)
    sides = []
    for axis in (1, 0):
        lines = reached.any(dim=axis).nonzero().flatten()
        sides.append(int(lines[-1] - lines[0]) + 1 if len(lines) else 1)
    return sides[0], sides[1]


def maximised(
    model: nn.Module, depth: Depth, channels: Tensor, *, shape: tuple[int, ...], steps: int, jitter: int, seed: int
) -> Tensor:
    """Returns an image for each channel to which it answers as strongly as could be found, float32 (N, C, H, W) in [0, 1].

    Adam climbs from noise, as grey alone leaves many units off. In each step the picture is moved by up to ``jitter`` pixels, so
    that what it shows does not hang on single pixels. Source: Erhan et al. 2009, "Visualizing higher-layer
    features of a deep network".

    Args:
        channels: their numbers, int64 (N,).
    """
    device = next(model.parameters()).device
    rng = SampleKeys(seed, channels.cpu())
    start = 0.5 + 0.8 * (rng.uniform("maximise", 0, shape) - 0.5)
    moves = SampleKeys(seed, torch.tensor([0])).integers("jitter", 0, jitter + 1, (steps, 2), low=-jitter)[0]
    with torch.inference_mode(False), torch.enable_grad(), borrowed(model), borrowed_rng():
        picture = start.to(device).requires_grad_()
        climber = torch.optim.Adam([picture], lr=_RATE)
        for step in range(steps):
            moved = picture.roll(tuple(moves[step].tolist()), dims=(2, 3))
            found = answers(model, moved, depth)
            own = found[torch.arange(len(channels)), channels.to(device)]
            (picture.grad,) = torch.autograd.grad(-own.flatten(1).mean(dim=1).sum() if own.ndim > 1 else -own.sum(), [picture])
            climber.step()
            with torch.no_grad():
                picture.clamp_(0, 1)
    return picture.detach().cpu()
