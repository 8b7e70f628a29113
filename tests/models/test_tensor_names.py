"""Names of published tensors, as in the files themselves."""

import pytest

from dlcli.models.tensor_names import present_name


@pytest.mark.parametrize(
    ("published", "here"),
    [
        ("_conv_stem.weight", "stem.weight"),
        ("_bn0.running_mean", "stem_norm.running_mean"),
        ("_blocks.10._bn0.bias", "blocks.10.expand_norm.bias"),
        ("_blocks.0._bn1.num_batches_tracked", "blocks.0.depthwise_norm.num_batches_tracked"),
        ("_fc.bias", "classifier.bias"),
        ("features.denseblock1.denselayer2.norm.1.weight", "features.denseblock1.denselayer2.norm1.weight"),
        ("features.denseblock4.denselayer16.conv.2.weight", "features.denseblock4.denselayer16.conv2.weight"),
    ],
)
def test_names_that_modules_no_longer_have_become_present_ones(published, here):
    assert present_name(published) == here


@pytest.mark.parametrize("name", ["layer1.0.bn1.weight", "blocks.0.norm1.weight", "fc.weight", "features.norm5.bias", ""])
def test_any_other_name_stays(name):
    assert present_name(name) == name
