"""Names that tensors have in published files, and the ones that they have in the networks here."""

from __future__ import annotations

import re

_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")
_LITE_BLOCK = {
    "_expand_conv": "expand",
    "_bn0": "expand_norm",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise_norm",
    "_project_conv": "project",
    "_bn2": "project_norm",
}
_LITE = {"_conv_stem": "stem", "_bn0": "stem_norm", "_conv_head": "head", "_bn1": "head_norm", "_fc": "classifier"}


def present_name(name: str) -> str:
    """Returns the name, inside the network, of a tensor that a published file calls ``name``.

    Two families are published under other names than their layers have here: EfficientNet-Lite (``_blocks.0._bn1.weight`` for
    ``blocks.0.depthwise_norm.weight``), and DenseNet (``denselayer1.norm.1.weight`` for ``denselayer1.norm1.weight``), since
    modules may no longer have dots in their names. Any other name is returned as it is.
    """
    layer, _, rest = name.partition(".")
    if layer == "_blocks":
        number, _, inside = rest.partition(".")
        layer, _, rest = inside.partition(".")
        return f"blocks.{number}.{_LITE_BLOCK.get(layer, layer)}.{rest}"
    return f"{_LITE[layer]}.{rest}" if layer in _LITE else _OLD_DENSENET.sub(r"\1\2.", name)
