"""A network's head: its last linear layer, or the last convolution of a network that has none, which gives the logits."""

from __future__ import annotations

from torch import nn

from dlcli.contracts import DataSpec


def output_count(spec: DataSpec, outputs: int | None) -> int:
    """Returns the number of logits K for this data.

    Args:
        spec: the data's spec.
        outputs: None for one logit per class, or the number itself.

    Raises:
        ValueError: ``outputs`` is neither the number of classes nor, where there are two, 1 (one binary logit).
    """
    classes = len(spec.classes)
    if outputs is None or outputs == classes:
        return classes
    if outputs == 1 and classes == 2:
        return 1
    allowed = "2 (one per class) or 1 (one binary logit)" if classes == 2 else f"{classes} (one per class)"
    raise ValueError(f"outputs must be {allowed}, got {outputs}")


def head_name(net: nn.Module) -> str:
    """Returns the dotted name of the last ``nn.Linear`` inside ``net``, in the order of registration.

    Where there is none (SqueezeNet) it is that of the last ``nn.Conv2d``.

    Raises:
        ValueError: there is neither.
    """
    for kind in (nn.Linear, nn.Conv2d):
        names: list[str] = [name for name, module in net.named_modules() if isinstance(module, kind) and name]
        if names:
            return names[-1]
    raise ValueError(f"{type(net).__name__} has no linear layer and no convolution inside, so no head to find")
