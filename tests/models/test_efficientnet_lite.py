"""EfficientNet-Lite, against the published sizes and the formula of TensorFlow's padding."""

import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.efficientnet_lite import EfficientNetLite, SameConv2d

IMAGENET = DataSpec(
    name="imagenet", shape=(3, 224, 224), classes=tuple(map(str, range(1000))), mean=(0.5,) * 3, std=(0.5,) * 3, epsilon={}
)


@pytest.mark.parametrize(("variant", "parameters"), [(0, 4_652_008), (1, 5_416_680), (2, 6_092_072)])
def test_a_variant_has_as_many_parameters_as_its_published_weights(variant, parameters):
    with torch.device("meta"):
        model = EfficientNetLite(spec=IMAGENET, variant=variant)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(("kernel", "side"), [(3, 7), (3, 8), (5, 9), (5, 10)])
def test_a_strided_convolution_is_padded_more_at_the_end(kernel, side):
    layer = SameConv2d(1, 1, kernel, stride=2, bias=False)
    nn.init.ones_(layer.weight)
    images = torch.rand(1, 1, side, side)
    total = (-(-side // 2) - 1) * 2 + kernel - side
    first = total // 2
    padded = torch.zeros(side + total, side + total)
    padded[first : first + side, first : first + side] = images[0, 0]
    expected = torch.stack([padded[0:kernel, 0:kernel].sum(), padded[2 : kernel + 2, 0:kernel].sum()])
    maps = layer(images)
    assert maps.shape[2:] == (-(-side // 2),) * 2
    torch.testing.assert_close(maps[0, 0, :2, 0], expected)


@pytest.mark.parametrize(
    ("change", "said"), [({"variant": 3}, "variant must be one of 0, 1, 2"), ({"dropout": 1.0}, "dropout must be in")]
)
def test_a_value_out_of_range_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        EfficientNetLite(spec=IMAGENET, **change)
