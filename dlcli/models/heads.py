"""A network's head: its last linear layer, which gives the logits."""

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

    Raises:
        ValueError: there is none.
    """
    names: list[str] = [name for name, module in net.named_modules() if isinstance(module, nn.Linear) and name]
    if not names:
        raise ValueError(f"{type(net).__name__} has no linear layer inside, so no head to find")
    return names[-1]


def head_parameter_names(net: nn.Module) -> tuple[str, ...]:
    """Returns the head's parameters by their names in ``net.named_parameters()``. Raises ValueError where there is no head."""
    name = head_name(net)
    return tuple(f"{name}.{parameter}" for parameter, _ in net.get_submodule(name).named_parameters())


def replace_head(net: nn.Module, outputs: int) -> str:
    """Puts a fresh linear layer of ``outputs`` rows in the place of the head, in ``net`` itself.

    The weights are drawn from torch's global generator, as every new ``nn.Linear`` draws them; device, type, training
    mode and the presence of a bias are those of the old head.

    Returns:
        The head's dotted name.

    Raises:
        ValueError: ``net`` has no linear layer inside, or ``outputs`` is below 1.
    """
    if outputs < 1:
        raise ValueError(f"outputs must be at least 1, got {outputs}")
    name = head_name(net)
    parent, _, leaf = name.rpartition(".")
    old = net.get_submodule(name)
    assert isinstance(old, nn.Linear)
    weight = old.weight
    fresh = nn.Linear(old.in_features, outputs, bias=old.bias is not None, device=weight.device, dtype=weight.dtype)
    setattr(net.get_submodule(parent), leaf, fresh.train(old.training))
    return name
