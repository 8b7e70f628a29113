"""Any classifier of torchvision, untrained, with a stem that suits small images where its family allows one."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.errors import did_you_mean
from dlcli.models.checks import check_dropout, check_image, check_momentum
from dlcli.models.heads import head_name, output_count
from dlcli.models.sizes import check_size

_SMALL = 64  # pixels: up to here a network made for 224 loses most of an image in its stem
# By the start of a family's names: the first convolution, and the pool behind it, that shrink the image at once.
_STEMS = {
    "resnet": ("conv1", "maxpool"),
    "resnext": ("conv1", "maxpool"),
    "wide_resnet": ("conv1", "maxpool"),
    "densenet": ("features.conv0", "features.pool0"),
    "shufflenet": ("conv1.0", "maxpool"),
    "mobilenet": ("features.0.0", None),
    "efficientnet": ("features.0.0", None),
    "mnasnet": ("layers.0", None),
    "regnet": ("stem.0", None),
}


class TorchvisionModel(nn.Module):
    """A classification network of :mod:`torchvision.models` with random weights, by its name there.

    The images need not be RGB: the first convolution is made for the data's channels. Auxiliary heads (Inception, GoogLeNet)
    are left out. What is replaced starts as PyTorch's layers do, all else as torchvision sets it.

    Args:
        spec: the data as the network sees it, images; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        name: such as resnet50, densenet121, efficientnet_b0, convnext_tiny or vit_b_16.
        small_images: replace the stem by one 3 x 3 convolution at stride 1 without pooling, as He et al. 2016 (section
            4.2) do for CIFAR; for resnet, resnext, wide_resnet, densenet, shufflenet, mobilenet, efficientnet, mnasnet
            and regnet. None does so where there is such a stem and images of at most 64 x 64 pixels.
        dropout: of the network's dropout layers, in [0, 1); a network without any gets one before its head.
            None leaves the network's own.
        norm_momentum: share of the newest batch in batch normalisation's running statistics, in (0, 1]. None leaves the
            network's own, which may need thousands of steps before evaluation is right: 0.01 in MobileNetV3.

    Raises:
        ValueError: there is no such network, it cannot take such images, or a value is out of its range.
    """

    def __init__(
        self,
        *,
        spec: DataSpec,
        outputs: int | None = None,
        name: str = "resnet18",
        small_images: bool | None = None,
        dropout: float | None = None,
        norm_momentum: float | None = None,
    ) -> None:
        super().__init__()
        _check_name(name)
        shape = check_image(name, spec.shape, smallest=1)
        stem = next((stem for family, stem in _STEMS.items() if name.startswith(family)), None)
        if small_images and stem is None:
            raise ValueError(f"small_images must be false for {name}; there is a small stem for {', '.join(_STEMS)}")
        if dropout is not None:
            check_dropout(dropout)
        if norm_momentum is not None:
            check_momentum(norm_momentum)
        net = _built(name, shape, output_count(spec, outputs))
        small = max(shape[1:]) <= _SMALL if small_images is None else small_images
        _fit_stem(net, shape[0], stem if small else None)
        if dropout is not None:
            _set_dropout(net, dropout)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d) and norm_momentum is not None:
                module.momentum = norm_momentum
        check_size(name, net, shape)
        self.net = net

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        logits: Tensor = self.net(inputs)
        return logits


def _check_name(name: str) -> None:
    """Raises ValueError where torchvision has no classifier of that name."""
    from torchvision import models  # takes seconds

    names = models.list_models(module=models)
    if name not in names:
        raise ValueError(f"name must be a classifier of torchvision, got '{name}'{did_you_mean(name, names)}")


def _built(name: str, shape: tuple[int, int, int], outputs: int) -> nn.Module:
    """The network as torchvision builds it, without weights to download."""
    from torchvision import models

    _, height, width = shape
    options: dict[str, Any] = {"weights": None, "num_classes": outputs}
    if name in {"googlenet", "inception_v3"}:
        options |= {"aux_logits": False, "init_weights": True}
    if name.startswith("vit_"):
        patch = int(name.rpartition("_")[2])
        if height != width or height % patch:
            raise ValueError(f"{name} needs square images with a multiple of {patch} pixels along each side, got {shape}")
        options["image_size"] = height
    if name.startswith("maxvit"):
        options["input_size"] = (height, width)
    try:
        net: nn.Module = models.get_model(name, **options)
    except ValueError as error:
        raise ValueError(f"{name} cannot take images of {height} x {width} pixels: {str(error).splitlines()[0]}") from error
    return net


def _fit_stem(net: nn.Module, channels: int, small: tuple[str, str | None] | None) -> None:
    """Makes the first convolution for ``channels`` and, where ``small`` names the parts of a stem, for small images."""
    name, first = next((name, module) for name, module in net.named_modules() if isinstance(module, nn.Conv2d))
    kept = {key: getattr(first, key) for key in ("kernel_size", "stride", "padding")}
    if small is not None:
        kept = {"kernel_size": 3, "stride": 1, "padding": 1}
        if small[1] is not None:
            net.set_submodule(small[1], nn.Identity())
    elif first.in_channels == channels:
        return
    net.set_submodule(name, nn.Conv2d(channels, first.out_channels, **kept, bias=first.bias is not None))


def _set_dropout(net: nn.Module, dropout: float) -> None:
    found = [module for module in net.modules() if isinstance(module, nn.Dropout)]
    for module in found:
        module.p = dropout
    if not found:
        head = head_name(net)
        net.set_submodule(head, nn.Sequential(nn.Dropout(dropout), net.get_submodule(head)))
