"""Weights from elsewhere, fitted to a network here: which prefix belongs off their names, and what of them has a place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from dlcli.errors import DataError
from dlcli.models.tensor_names import present_name

_COUNT = ".num_batches_tracked"
_DEEPEST = 12  # parts of a name that may be a prefix
_SHOWN = 5
_HINT = "--weights imagenet, or the backbone that the file was made with"


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a file's tensors are to a network.

    Args:
        body: every tensor of the network outside its head, by the network's own names and in its types.
        head: those of the head; empty unless the file has all of them in the same shapes.
        prefix: what the file's names have before the network's.
        unused: the file's names that have no place, or have one in the head and do not fit.
        note: all this in one line, for people.
    """

    body: Mapping[str, Tensor]
    head: Mapping[str, Tensor]
    prefix: str
    unused: tuple[str, ...]
    note: str


def fitted(given: Mapping[str, Tensor], own: Mapping[str, Tensor], *, head: str, source: str) -> Fitted:
    """Returns which of the ``given`` tensors are which of a network's ``own``.

    The prefix is the one under which most tensors have a place by name and shape, the file's first where several are as good.
    Floating-point numbers of any width become the network's.

    Args:
        given: the tensors of a file, under the names of another program.
        own: the state of a :class:`~dlcli.classifier.Classifier`, freshly built.
        head: the dotted name of the layer in it that gives the logits; the file's may have other shapes, or be missing.
        source: names the file.

    Raises:
        DataError: the file is of another network, with the first five tensors that differ; or it holds integers in the place of
            fractions, or numbers that are not finite.
    """
    prefix, root = _matched(given, own)
    named = {root + present_name(name.removeprefix(prefix)): name for name in given if name.startswith(prefix)}
    last = [name for name in own if _is_inside(name, head)]
    body = [name for name in own if not _is_inside(name, head)]
    theirs = {place: given[name] for place, name in named.items()}
    wrong = _differing(theirs, own, body=body, head=head)
    if wrong:
        more = f"; and {len(wrong) - _SHOWN} more differ" if len(wrong) > _SHOWN else ""
        reason = f"{source} holds weights of another network: {'; '.join(wrong[:_SHOWN])}{more}"
        raise DataError(reason, hint=_HINT)
    fits = bool(last) and all(name in theirs and theirs[name].shape == own[name].shape for name in last)
    taken = {
        name: _converted(theirs[name], own[name], f"{source}: {named[name]}")
        for name in [*body, *(last if fits else [])]
        if name in theirs and not (name.endswith(_COUNT) and theirs[name].is_floating_point())
    }
    used = {named[name] for name in taken}
    unused = tuple(name for name in given if name not in used)
    weight = f"{head}.weight"
    shapes = [tuple(state[weight].shape) if weight in state else () for state in (theirs, own)]
    removed = f" after removing '{prefix}'" if prefix else ""
    parts = [f"{_counted(sum(name in taken for name in body))} fit{removed}"]
    parts += [_about_heads(*shapes, fits=fits)]
    parts += [f"{_counted(len(unused))} {'is' if len(unused) == 1 else 'are'} not used"] if unused else []
    return Fitted(
        body={name: taken.get(name, own[name]) for name in body},
        head={name: taken[name] for name in last if fits},
        prefix=prefix,
        unused=unused,
        note=f"{source}: {'; '.join(parts)}",
    )


def with_counts(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the weights, and a network's own counts of batches where they lack one.

    Batch normalisation has counted since PyTorch 0.4.1; older files, some of torchvision's among them, hold no counts, and
    nothing is computed from them.
    """
    return {**{name: tensor for name, tensor in own.items() if name.endswith(_COUNT)}, **weights}


def _matched(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> tuple[str, str]:
    """What to take off the file's names and what to put before them so that most tensors have a place."""
    roots = list(_starts(_root(own)))
    counts: dict[tuple[str, str], tuple[int, int]] = {}
    for name, tensor in given.items():
        for prefix in _starts(name):
            rest = present_name(name.removeprefix(prefix))
            for root in roots:
                place = own.get(root + rest)
                if place is not None:
                    fit, alike = counts.get((prefix, root), (0, 0))
                    counts[prefix, root] = (fit + (place.shape == tensor.shape), alike + 1)
    return max(counts, key=lambda key: counts[key], default=("", _root(own)))


def _starts(name: str) -> Iterator[str]:
    """The dotted beginnings of a name, the empty one first: '', 'net.', 'net.net.' of 'net.net.fc'."""
    yield ""
    ends = (position for position, letter in enumerate(name, start=1) if letter == ".")
    yield from (name[:end] for end in islice(ends, _DEEPEST))


def _root(own: Mapping[str, Tensor]) -> str:
    """The dotted beginning that all names of a network share."""
    first = next(iter(own), "")
    return max((start for start in _starts(first) if all(name.startswith(start) for name in own)), key=len, default="")


def _is_inside(name: str, layer: str) -> bool:
    return name.startswith(f"{layer}.")


def _differing(theirs: Mapping[str, Tensor], own: Mapping[str, Tensor], *, body: Sequence[str], head: str) -> list[str]:
    """What of a network's body the file lacks or has otherwise, and what it has inside the body's layers beyond it.

    A deeper network of the same family holds all of a shallower one; and what stands beside the body, as auxiliary heads,
    projections and queues do, may stay unused.
    """
    root = _root(own)
    wrong = []
    for name in body:
        expected = f"expected {tuple(own[name].shape)}"
        if name not in theirs and not name.endswith(_COUNT):
            wrong.append(f"{name.removeprefix(root)} is missing, {expected}")
        elif name in theirs and theirs[name].shape != own[name].shape:
            wrong.append(f"{name.removeprefix(root)} is {tuple(theirs[name].shape)}, {expected}")
    layers = {name.removeprefix(root).partition(".")[0] for name in body}
    around = head.rpartition(".")[0] + "."  # layers beside the head, in a block of its own, may be of a longer head
    for name, tensor in theirs.items():
        beside_head = _is_inside(name, head) or (around != root and name.startswith(around))
        part = name.removeprefix(root).partition(".")[0]
        if name not in own and name.startswith(root) and part in layers and not beside_head:
            wrong.append(f"{name.removeprefix(root)} is {tuple(tensor.shape)}, expected none")
    return wrong


def _converted(tensor: Tensor, like: Tensor, name: str) -> Tensor:
    """A file's tensor in the network's type. Raises DataError where it would be other numbers."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_quantized or tensor.is_complex() or like.is_floating_point() != tensor.is_floating_point():
        expected = "floating-point numbers" if like.is_floating_point() else "integers"
        raise DataError(f"{name} holds {kind}, expected {expected}", hint="the weights before they were converted")
    found = tensor.detach().to(like.dtype)
    if not bool(torch.isfinite(found).all()):
        raise DataError(f"{name} holds {int((~torch.isfinite(found)).sum())} of {found.numel()} numbers that are not finite")
    if not like.is_floating_point() and not name.endswith(_COUNT) and not torch.equal(found, like.cpu()):
        raise DataError(f"{name} holds other constants than this network has", hint=_HINT)
    return found


def _counted(count: int) -> str:
    return f"{count} tensor" if count == 1 else f"{count} tensors"


def _about_heads(theirs: tuple[int, ...], ours: tuple[int, ...], *, fits: bool) -> str:
    """What becomes of the head: weights (outputs, inputs, …)."""
    if not theirs:
        return "it has no such head: a new head is made"
    shape = " x ".join(map(str, theirs))
    if fits:
        return f"its head is {shape} ({theirs[0]} outputs), as yours"
    yours = f"{ours[0]}" if theirs[1:] == ours[1:] and ours else " x ".join(map(str, ours))
    return f"its head is {shape} ({theirs[0]} outputs), yours has {yours}: a new head is made"
