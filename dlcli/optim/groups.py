"""Parameter groups: what weight decay pulls towards zero, what it leaves alone, and which layers have a rate of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

# Private, but the only name that BatchNorm and InstanceNorm of every dimension share.
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
SHARE = "rate"


def parameter_groups(model: nn.Module, rates: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """Returns the trainable parameters as groups for a torch optimizer.

    Biases, the affine parameters of norms, and other vectors and scalars are not decayed: they hold few numbers, and
    decaying a norm's scale only changes the learning rate of the layer before it (He et al. 2019, "Bag of tricks for
    image classification", §3.1).

    Args:
        rates: parameter name → share of the optimizer's learning rate; 1 for those that it does not name.

    Returns:
        For each share, the largest first, up to two groups: "decay", and "no_decay" with ``weight_decay`` 0. Each has "name",
        "rate" (the share; :func:`apply_rates` makes it a learning rate) and "params", a list of (name, parameter) in the
        model's order. A group without parameters is left out.
    """
    rates = rates or {}
    of_norms = {id(parameter) for module in model.modules() if isinstance(module, _NORMS) for parameter in module.parameters()}
    found: dict[tuple[float, bool], list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        free = parameter.ndim < 2 or name.endswith("bias") or id(parameter) in of_norms
        found.setdefault((-rates.get(name, 1.0), free), []).append((name, parameter))
    groups = []
    for (negative, free), parameters in sorted(found.items(), key=lambda entry: entry[0]):
        suffix = "" if negative == -1 else f" x {-negative:g}"
        group: dict[str, Any] = {"name": ("no_decay" if free else "decay") + suffix, SHARE: -negative, "params": parameters}
        groups.append({**group, "weight_decay": 0.0} if free else group)
    return groups


def apply_rates(groups: list[dict[str, Any]]) -> None:
    """Gives each group of an optimizer its own learning rate, and keeps it as ``initial_lr``, which schedules multiply."""
    for group in groups:
        group["lr"] = group["initial_lr"] = float(group["lr"]) * float(group.get(SHARE, 1.0))
