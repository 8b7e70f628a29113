"""Published ImageNet weights by name: of torchvision's classifiers, of EfficientNet-Lite and, where it is installed, of timm."""

from __future__ import annotations

from dlcli.errors import UsageError, nearest, suggestion
from dlcli.models.published import PREFIX, Pretrained
from dlcli.models.published_lite import LITE_NAMES, NAME, of_lite
from dlcli.models.published_timm import TIMM, of_timm
from dlcli.models.published_torchvision import classifier_names, of_torchvision, other_purpose

__all__ = ["DEFAULTS", "PREFIX", "Pretrained", "describe", "pretrained_names"]
DEFAULTS = ("imagenet", "default")  # what a network's own choice among its sets of weights is called, in any case


def pretrained_names() -> list[str]:
    """Returns the names that need no further package: torchvision's classifiers and EfficientNet-Lite."""
    return sorted([*LITE_NAMES, *classifier_names()])


def describe(name: str, weights: str | None = None, *, typed: str = PREFIX) -> Pretrained:
    """Returns what is published under a name.

    Args:
        name: of a network, or ``NETWORK@SET`` for one of its sets of weights.
        weights: the set; None, "imagenet" and "default" are the one that ``name`` has, or else the network's default.
        typed: what stands before a name where the user types it, for messages.

    Raises:
        UsageError: there is no such network or set, with suggestions; or it is no classifier, and what it is.
    """
    network, _, own = name.partition("@")
    given = [one for one in ([own] if "@" in name else []) + [weights] if one is not None]
    asked = list(dict.fromkeys(one for one in given if one.casefold() not in DEFAULTS))
    if len(asked) > 1:
        raise UsageError(f"{name} and {weights} are two sets of weights; expected one", hint=f"{typed}{network}@{weights}")
    chosen = asked[0] if asked else None
    if network.startswith(TIMM):
        return of_timm(network, chosen, typed=typed)
    if network in LITE_NAMES:
        if chosen is not None:
            raise UsageError(f"{network} has no weights '{chosen}'; it has imagenet alone", hint=f"{typed}{network}")
        return of_lite(network)
    if network not in classifier_names():
        raise _unknown(network, typed)
    return of_torchvision(network, chosen, typed=typed)


def _unknown(network: str, typed: str) -> UsageError:
    other = other_purpose(network)
    if other is not None:
        purpose, classifier = other
        return UsageError(f"{network} is {purpose}, not a classifier", hint=f"{typed}{classifier}")
    near = nearest(network, pretrained_names())
    expected = f"expected a classifier of torchvision, {NAME}0, 1 or 2, or timm/NAME"
    hint = f"{typed}{near[0] if near else 'resnet18'}"
    named = f"{PREFIX}{network}" if typed == PREFIX else network
    return UsageError(f"there is no model '{named}'; {expected}{suggestion(near)}", hint=hint)
