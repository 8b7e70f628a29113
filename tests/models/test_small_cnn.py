import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.small_cnn import SmallCNN


def spec(*shape: int) -> DataSpec:
    channels = shape[0]
    names = tuple("0123456789")
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * channels, std=(1.0,) * channels, epsilon={})


def test_the_default_has_26234_parameters_on_mnist():
    # 25*16 + 9*16*32 + 9*32*64 weights, 2*(16 + 32 + 64) of the norms, 10*(256 + 1) of the head.
    assert sum(parameter.numel() for parameter in SmallCNN(spec=spec(1, 28, 28)).parameters()) == 26_234


def test_the_last_maps_of_28_pixel_images_are_7_by_7():
    model = SmallCNN(spec=spec(1, 28, 28))
    assert model.features(torch.randn(2, 1, 28, 28)).shape == (2, 64, 7, 7)


def test_the_head_is_the_linear_layer_named_head():
    model = SmallCNN(spec=spec(1, 28, 28))
    assert isinstance(model.head, nn.Linear)
    assert [name for name, module in model.named_modules() if isinstance(module, nn.Linear)] == ["head"]


def test_pooling_before_the_norm_and_relu_equals_pooling_after_them_in_evaluation():
    model = SmallCNN(spec=spec(1, 12, 12), widths=[4], kernel_sizes=[3], strides=[1], pools=[2]).eval()
    block, inputs = model.features[0], torch.randn(3, 1, 12, 12)
    late = block.pool(block.activation(block.norm(block.conv(inputs))))
    assert torch.allclose(block(inputs), late, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 13), (4, 31, 8), (2, 64, 48)])
def test_any_image_from_8_by_8_with_any_channels_gives_logits(shape):
    assert SmallCNN(spec=spec(*shape))(torch.randn(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize("kernel_sizes", [[2, 2], [4, 3], [7, 1]])
@pytest.mark.parametrize("strides", [[1, 1], [2, 3]])
def test_the_size_that_is_checked_is_the_size_that_comes_out(kernel_sizes, strides):
    def build(size: int) -> SmallCNN:
        lists = {"widths": [3, 3], "kernel_sizes": kernel_sizes, "strides": strides, "pools": [2, 3]}
        return SmallCNN(spec=spec(1, size, size), **lists)

    for size in range(8, 40):
        try:
            model = build(size)
        except ValueError:
            with pytest.raises(RuntimeError, match="too small"):
                build(64).features(torch.randn(2, 1, size, size))
        else:
            assert min(model.features(torch.randn(2, 1, size, size)).shape[2:]) >= 1


def test_convolutions_have_a_bias_only_without_a_norm():
    def biases(norm: str) -> set[bool]:
        model = SmallCNN(spec=spec(1, 8, 8), norm=norm)
        return {module.bias is not None for module in model.modules() if isinstance(module, nn.Conv2d)}

    assert [biases(norm) for norm in ("batch", "group", "layer", "none")] == [{False}, {False}, {False}, {True}]


def test_the_momentum_reaches_every_batch_norm():
    model = SmallCNN(spec=spec(1, 8, 8), norm_momentum=0.4)
    assert [module.momentum for module in model.modules() if isinstance(module, nn.BatchNorm2d)] == [0.4] * 3


def test_dropout_acts_in_training_only():
    model, inputs = SmallCNN(spec=spec(1, 8, 8), dropout=0.5), torch.randn(3, 1, 8, 8)
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"widths": [16, 32]}, "equally long, got widths 2, kernel_sizes 3, strides 3, pools 3"),
        ({"widths": [], "kernel_sizes": [], "strides": [], "pools": []}, r"widths must hold numbers of at least 1.*got \[\]"),
        ({"pools": [2, 0, 1]}, r"pools must hold numbers of at least 1, one per block, got \[2, 0, 1\]"),
        ({"strides": [1, -1, 1]}, "strides must hold numbers of at least 1"),
        ({"pools": [2, 2, 9]}, "strides and pools leave no pixel of 28 x 28 images after block 3"),
        ({"final_pool": 0}, "final_pool must be at least 1, got 0"),
        ({"dropout": -0.1}, r"dropout must be in \[0, 1\), got -0.1"),
        ({"norm_momentum": 0.0}, r"norm_momentum must be in \(0, 1\], got 0.0"),
        ({"activation": "tahn"}, "did you mean 'tanh'"),
        ({"norm": "groups"}, "did you mean 'group'"),
        ({"outputs": 1}, "outputs must be 10 .one per class., got 1"),
    ],
)
def test_a_value_out_of_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        SmallCNN(spec=spec(1, 28, 28), **value)


@pytest.mark.parametrize("shape", [(30,), (1, 7, 28)])
def test_tables_and_tiny_images_are_refused(shape):
    with pytest.raises(ValueError, match=r"needs images .* of at least 8 x 8 pixels"):
        SmallCNN(spec=spec(*shape))
