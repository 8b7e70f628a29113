"""The stages of a network from its input to its head: what finetuning freezes, unfreezes and gives a learning rate of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

_FEWEST = 4
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


@dataclass(frozen=True)
class Stage:
    """Neighbouring layers that are trained together.

    Args:
        name: of the first module in it, dotted.
        parameters: their dotted names, in the order of registration.
    """

    name: str
    parameters: tuple[str, ...]


def stages_of(net: nn.Module, head: str) -> tuple[Stage, ...]:
    """Returns the stages of ``net``, the one nearest to the input first and ``head`` last; each parameter lies in one.

    Stages are the modules directly inside ``net``, a norm together with what it follows; while there are fewer than four of
    them before the head, the largest one is replaced by those inside it. A ResNet so has its stem and four stages, a VGG its
    convolutions, a vision transformer its encoder blocks.

    Args:
        head: dotted name of the head, a module inside ``net``.

    Raises:
        ValueError: there is no such module.
    """
    known = dict(net.named_modules())
    if head not in known:
        raise ValueError(f"{type(net).__name__} has no module '{head}'")
    names = [name for name, _ in net.named_parameters()]
    body = [name for name in names if not name.startswith(f"{head}.")]
    cuts = [""]
    while len(found := _grouped(known, body, cuts)) < _FEWEST:
        parents = [cut for cut in cuts if any(_inner(known[cut], cut))]
        if not parents:
            break
        largest = max(parents, key=lambda cut: _size(known, body, cut))
        cuts += _inner(known[largest], largest)
        cuts.remove(largest)
    return (*found, Stage(head, tuple(name for name in names if name.startswith(f"{head}."))))


def _inner(module: nn.Module, name: str) -> Iterator[str]:
    """The names of the modules directly inside that hold parameters."""
    for child, inside in module.named_children():
        if any(True for _ in inside.parameters()):
            yield f"{name}.{child}" if name else child


def _size(known: dict[str, nn.Module], body: list[str], name: str) -> int:
    own = dict(known[""].named_parameters())
    return sum(own[each].numel() for each in body if _is_inside(each, name))


def _is_inside(parameter: str, module: str) -> bool:
    return not module or parameter.startswith(f"{module}.")


def _grouped(known: dict[str, nn.Module], body: list[str], cuts: list[str]) -> list[Stage]:
    """The parameters by the cut that they lie in, in order; a norm, and what lies in no cut, joins the stage before it."""
    stages: list[Stage] = []
    for parameter in body:
        owner = next((cut for cut in cuts if _is_inside(parameter, cut)), None)
        joins = owner is None or isinstance(known[owner], _NORMS)
        if stages and (joins or stages[-1].name in {owner, ""}):
            # What comes before the first module, such as a class token, has no name of its own.
            stages[-1] = Stage(stages[-1].name or owner or "", (*stages[-1].parameters, parameter))
        else:
            stages.append(Stage(owner or "", (parameter,)))
    return stages
