"""A network with published weights: what builds it, its classes and preprocessing, and the file that holds the weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dlcli.classifier import Preprocessing
from dlcli.models.tensor_names import present_name

PREFIX = "pretrained:"
# These two were trained with another standardisation than torchvision's, which their own code undoes.
HALF = ("googlenet", "inception_v3")
_AUXILIARY = re.compile(r"(aux\d?|AuxLogits)\.")


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A network with published weights.

    Args:
        name: as after ``pretrained:``; ``NETWORK@SET`` where the set of weights is not the network's default.
        weights: the name of the set.
        node: the configuration that builds the network.
        classes: the names of its classes, in their order.
        preprocessing: what belongs before it.
        file: the published file's name.
        digest: sha256 of that file, or its beginning where only that is published; empty where nothing is.
        size: of the file in bytes, about.
        url: where it is published; None where it comes with a package.
        package: the package that holds it, or None.
        one_size: it takes images of its own size alone, as networks do whose positions are learned for one grid of patches.
    """

    name: str
    weights: str
    node: Mapping[str, Any]
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    file: str
    digest: str
    size: int
    url: str | None = None
    package: str | None = None
    one_size: bool = False

    @property
    def reference(self) -> str:
        """The model reference, as in ``--run``."""
        return f"{PREFIX}{self.name}"

    @property
    def network(self) -> str:
        """The network's name without a set of weights."""
        return self.name.partition("@")[0]

    def own_weights(self, published: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the published tensors by the names that they have in a :class:`~dlcli.classifier.Classifier`."""
        start = "net." if self.network.startswith("efficientnet_lite") else "net.net."
        auxiliary = self.network in HALF
        kept = {name: tensor for name, tensor in published.items() if not (auxiliary and _AUXILIARY.match(name))}
        return {f"{start}{present_name(name)}": tensor for name, tensor in kept.items()}


def digest_in(file: str) -> str:
    """Returns the beginning of sha256 that PyTorch's hub puts into a file's name; empty where there is none."""
    found = re.search(r"-([0-9a-f]{8,})\.pth$", file)
    return found[1] if found else ""
