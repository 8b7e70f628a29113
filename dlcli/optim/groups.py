"""Parameter groups: what weight decay pulls towards zero, and what it leaves alone."""

from __future__ import annotations

from typing import Any

from torch import nn

# Private, but the only name that BatchNorm and InstanceNorm of every dimension share.
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """Returns the trainable parameters as groups for a torch optimizer.

    Biases, the affine parameters of norms, and other vectors and scalars are not decayed: they hold few numbers, and
    decaying a norm's scale only changes the learning rate of the layer before it (He et al. 2019, "Bag of tricks for
    image classification", §3.1).

    Returns:
        Up to two groups: "decay", and "no_decay" with ``weight_decay`` 0. Each has "name" and "params", a list of
        (name, parameter) in the model's order. A group without parameters is left out.
    """
    of_norms = {id(parameter) for module in model.modules() if isinstance(module, _NORMS) for parameter in module.parameters()}
    decay: list[tuple[str, nn.Parameter]] = []
    no_decay: list[tuple[str, nn.Parameter]] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        free = parameter.ndim < 2 or name.endswith("bias") or id(parameter) in of_norms
        (no_decay if free else decay).append((name, parameter))
    groups: list[dict[str, Any]] = [
        {"name": "decay", "params": decay},
        {"name": "no_decay", "params": no_decay, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
