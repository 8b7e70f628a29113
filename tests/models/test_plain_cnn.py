import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.heads import head_name
from dlcli.models.plain_cnn import PlainCNN
from dlcli.models.stages import stages_of

FAST = {"widths": [16, 32], "kernel_sizes": [4, 4], "strides": [2, 2], "paddings": [1, 1], "pools": [1, 1], "hidden": [100]}


def spec(*shape: int) -> DataSpec:
    channels = shape[0]
    names = tuple("0123456789")
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * channels, std=(1.0,) * channels, epsilon={})


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_by_default_it_has_the_parameters_of_trades_small_cnn():
    # 28 → 26 → 24 → 12 → 10 → 8 → 4 pixels: 64 · 4 · 4 = 1,024 go into the fully connected layers.
    convolutions = 32 * (9 + 1) + 32 * (32 * 9 + 1) + 64 * (32 * 9 + 1) + 64 * (64 * 9 + 1)
    assert count(PlainCNN(spec=spec(1, 28, 28))) == convolutions + 200 * 1_025 + 200 * 201 + 10 * 201 == 312_202


def test_with_two_strided_convolutions_it_has_those_of_wongs_network():
    # 28 → 14 → 7 pixels: 32 · 7 · 7 = 1,568.
    assert count(PlainCNN(spec=spec(1, 28, 28), dropout=0.0, **FAST)) == 16 * 17 + 32 * (16 * 16 + 1) + 100 * 1_569 + 10 * 101


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 40), (1, 16, 16)])
def test_it_gives_logits_for_images_of_any_size_that_leaves_a_pixel(shape):
    assert PlainCNN(spec=spec(*shape))(torch.randn(2, *shape)).shape == (2, 10)


def test_an_examples_answer_does_not_depend_on_the_others_of_its_batch():
    model, inputs = PlainCNN(spec=spec(1, 28, 28), dropout=0.0).train(), torch.randn(4, 1, 28, 28)
    assert torch.allclose(model(inputs)[:1], model(inputs[:1]), atol=1e-5)


def test_only_the_first_hidden_layer_has_dropout():
    dropouts = [module.p for module in PlainCNN(spec=spec(1, 28, 28)).modules() if isinstance(module, nn.Dropout)]
    assert dropouts == [0.5, 0.0]


def test_there_may_be_no_hidden_layer():
    assert head_name(PlainCNN(spec=spec(1, 28, 28), hidden=[])) == "head"


def test_it_has_stages_to_finetune():
    assert [stage.name for stage in stages_of(PlainCNN(spec=spec(1, 28, 28)), "head")][-1] == "head"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pools": [1]}, r"^pools must hold 4 numbers of at least 1, got \[1\]"),
        ({"paddings": [-1, 0, 0, 0]}, "^paddings must hold 4 numbers of at least 0"),
        ({"widths": [0, 1, 1, 1]}, "^widths must hold numbers of at least 1"),
        ({"hidden": [0]}, "^hidden must hold numbers of at least 1"),
        ({"dropout": 1.0}, "^dropout must be in"),
        ({"activation": "tahn"}, "^activation must be one of .*; did you mean 'tanh'"),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_name(changes, message):
    with pytest.raises(ValueError, match=message):
        PlainCNN(spec=spec(1, 28, 28), **changes)


@pytest.mark.parametrize("shape", [(30,), (1, 15, 28)])
def test_tables_and_images_that_leave_no_pixel_are_refused(shape):
    with pytest.raises(ValueError, match=r"^PlainCNN needs images .* of at least 16 x 16 pixels"):
        PlainCNN(spec=spec(*shape))
