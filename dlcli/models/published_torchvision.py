"""Weights of torchvision's classifiers; all that is known of a set comes from torchvision's own record of it."""

from __future__ import annotations

from typing import Any

from dlcli.classifier import Preprocessing
from dlcli.errors import UsageError, nearest, suggestion
from dlcli.models.published import HALF, Pretrained, digest_in

_ANY = "resnet18"
_ONE_SIZE = ("vit_", "maxvit")  # how the names begin of those with learned positions
# What the other networks of torchvision are for, by the part of it that they come from.
_PURPOSES = {
    "detection": "a network for object detection",
    "segmentation": "a network for segmentation",
    "video": "a network for video",
    "optical_flow": "a network for optical flow",
    "quantization": "a quantised network, whose integers cannot be trained",
}


def classifier_names() -> list[str]:
    """Returns the names of torchvision's classifiers. It takes seconds the first time: torchvision is imported."""
    from torchvision import models

    names: list[str] = models.list_models(module=models)
    return names


def of_torchvision(name: str, weights: str | None, *, typed: str) -> Pretrained:
    """Returns what is published of a classifier.

    Args:
        weights: the name of a set, such as IMAGENET1K_V1; None is torchvision's default, whose name is the network's alone.
        typed: what stands before a name where the user types it.

    Raises:
        UsageError: there is no such set, or it is no classifier's.
    """
    from torchvision import models

    sets: Any = models.get_model_weights(name)
    one = sets.DEFAULT if weights is None else sets.__members__.get(weights)
    if one is None or one.meta["categories"] is None:
        raise _no_set(name, str(weights), sets, typed)
    transforms = one.transforms()
    file = one.url.rpartition("/")[2]
    side = transforms.crop_size[0]
    mean, std = ((0.5,) * 3, (0.5,) * 3) if name in HALF else (tuple(transforms.mean), tuple(transforms.std))
    return Pretrained(
        name=name if one is sets.DEFAULT else f"{name}@{one.name}",
        weights=one.name,
        node={
            "_target_": "dlcli.models.torchvision_model.TorchvisionModel",
            "outputs": None,
            "name": name,
            "small_images": False,
            "dropout": None,
            "norm_momentum": None,
        },
        classes=tuple(map(str, one.meta["categories"])),
        preprocessing=Preprocessing(
            (3, side, side), mean, std, resize=transforms.resize_size[0], interpolation=transforms.interpolation.value
        ),
        file=file,
        digest=digest_in(file),
        size=round(one.meta["_file_size"] * 2**20),
        url=one.url,
        one_size=name.startswith(_ONE_SIZE),
    )


def other_purpose(name: str) -> tuple[str, str] | None:
    """Returns what a network of torchvision that is no classifier is, in words, and the classifier nearest to it.

    None where ``name`` is a classifier's or nobody's.
    """
    from torchvision import models

    names = classifier_names()
    if name in names or name not in models.list_models():
        return None
    purpose = next((words for part, words in _PURPOSES.items() if name in models.list_models(module=getattr(models, part))), None)
    inside = sorted((one for one in names if one in name), key=len)
    return purpose or "another kind of network", inside[-1] if inside else _ANY


def _no_set(name: str, weights: str, sets: Any, typed: str) -> UsageError:
    """The error for a set that is not there, or that holds a network's first layers alone (IMAGENET1K_FEATURES of VGG-16)."""
    usable = [one.name for one in sets if one.meta["categories"] is not None]
    near = nearest(weights, usable)
    reason = f"{weights} of {name} holds no classifier" if weights in sets.__members__ else f"{name} has no weights '{weights}'"
    listed = usable[0] if len(usable) == 1 else f"{', '.join(usable[:-1])} and {usable[-1]}"
    return UsageError(f"{reason}; it has {listed}{suggestion(near)}", hint=f"{typed}{name}@{(near or usable)[0]}")
