"""Any network of timm (PyTorch Image Models), untrained, where timm is installed."""

from __future__ import annotations

import importlib
from typing import Any

from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.errors import did_you_mean
from dlcli.models.checks import check_dropout, check_image
from dlcli.models.heads import output_count
from dlcli.models.sizes import check_size


class TimmModel(nn.Module):
    """A network of timm with random weights, by its name there (Wightman 2019, github.com/huggingface/pytorch-image-models).

    Networks that are made for one size, as vision transformers are, are made for the data's. Nothing is downloaded.

    Args:
        spec: the data as the network sees it, images; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        name: such as resnet26t, convnext_atto or vit_tiny_patch16_224.
        dropout: before the head, in [0, 1); timm's ``drop_rate``. None leaves the network's own.

    Raises:
        ValueError: timm is not installed, has no such network, it cannot take such images, or a value is out of its range.
    """

    def __init__(
        self, *, spec: DataSpec, outputs: int | None = None, name: str = "resnet18", dropout: float | None = None
    ) -> None:
        super().__init__()
        timm = _timm(name)
        shape = check_image(f"timm/{name}", spec.shape, smallest=1)
        options: dict[str, Any] = {"num_classes": output_count(spec, outputs), "in_chans": shape[0]}
        if dropout is not None:
            check_dropout(dropout)
            options["drop_rate"] = dropout
        if timm.get_pretrained_cfg(name).fixed_input_size:
            options["img_size"] = shape[1:]
        try:
            self.net: nn.Module = timm.create_model(name, pretrained=False, **options)
        except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"timm/{name} cannot be built for images {shape}: {error}") from error
        check_size(f"timm/{name}", self.net, shape)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        logits: Tensor = self.net(inputs)
        return logits


def _timm(name: str) -> Any:
    """The module timm. Raises ValueError where it is not installed or has no network of that name."""
    try:
        timm = importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise ValueError(f"timm/{name} needs timm: pip install timm") from error
    architecture = name.partition(".")[0]  # what follows names a set of weights
    if not timm.is_model(architecture):
        raise ValueError(f"name must be a network of timm, got '{name}'{did_you_mean(architecture, timm.list_models())}")
    return timm
