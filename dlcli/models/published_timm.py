"""Weights of timm's networks, where timm is installed."""

from __future__ import annotations

import importlib
from typing import Any

from dlcli.classifier import Preprocessing
from dlcli.errors import UsageError, nearest, suggestion
from dlcli.models.published import Pretrained, digest_in

TIMM = "timm/"


def of_timm(name: str, weights: str | None, *, typed: str) -> Pretrained:
    """Returns what is published of ``timm/NETWORK`` or ``timm/NETWORK.SET``.

    What is published without a digest is not downloaded, only found where the hub's own program left it.

    Args:
        weights: the set, such as ``a1_in1k`` of ``resnet50``, as timm writes it behind a dot; None is the network's default.
        typed: what stands before a name where the user types it.

    Raises:
        UsageError: timm is not installed, has no such network or set, or it has other classes than ImageNet's.
    """
    architecture = name.removeprefix(TIMM)
    try:
        timm: Any = importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise UsageError(f"{typed}{name} needs timm, which is not installed", hint="pip install timm") from error
    known = timm.list_models(pretrained=True)
    network = architecture.partition(".")[0]
    networks = {one.partition(".")[0] for one in known}
    if network not in networks:
        near = nearest(architecture, [*known, *networks])
        raise UsageError(
            f"timm has no pretrained '{architecture}'{suggestion(near)}",
            hint=f"{typed}{TIMM}{near[0]}" if near else "timm.list_models(pretrained=True) names them",
        )
    if weights is not None:
        architecture = f"{network}.{weights}"
    if "." in architecture and architecture not in known:
        raise _no_set(architecture, known, typed)
    own = timm.get_pretrained_cfg(architecture)
    if own.num_classes != 1000:
        raise UsageError(f"{name} has {own.num_classes} outputs, which are not ImageNet's 1,000 classes", hint="another one")
    from torchvision.models import _meta

    side, digest = own.input_size[1], digest_in(own.url or "")
    return Pretrained(
        name=f"{TIMM}{architecture}",
        weights=architecture.partition(".")[2] or str(own.tag or "default"),
        node={"_target_": "dlcli.models.timm_model.TimmModel", "outputs": None, "name": architecture, "dropout": None},
        classes=tuple(map(str, _meta._IMAGENET_CATEGORIES)),
        preprocessing=Preprocessing(
            tuple(own.input_size),
            tuple(own.mean),
            tuple(own.std),
            resize=max(side, int(side / own.crop_pct)),
            interpolation="bicubic" if own.interpolation == "bicubic" else "bilinear",
        ),
        file=own.url.rpartition("/")[2] if digest else f"{architecture}.safetensors",
        digest=digest,
        size=0,
        url=own.url if digest else None,
        package=None if digest else own.hf_hub_id,
        one_size=own.fixed_input_size,
    )


def _no_set(architecture: str, known: list[str], typed: str) -> UsageError:
    network, _, weights = architecture.partition(".")
    sets = [one.partition(".")[2] for one in known if one.partition(".")[0] == network and "." in one]
    near = nearest(weights, sets)
    return UsageError(
        f"timm's {network} has no weights '{weights}'; it has {', '.join(sets)}{suggestion(near)}",
        hint=f"{typed}{TIMM}{network}.{(near or sets or [''])[0]}".rstrip("."),
    )
