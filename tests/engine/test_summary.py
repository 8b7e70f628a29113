"""Layers, shapes, parameters and multiply-adds: by closed forms, and beside torch's own counter of floating-point operations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dlcli.classifier import Classifier
from dlcli.contracts import DataSpec
from dlcli.engine.summary import LayerSummary, summarise, total
from dlcli.models.resnet import ResNet
from dlcli.models.resnet9 import ResNet9
from dlcli.models.small_cnn import SmallCNN
from dlcli.models.vit import VisionTransformer

SPEC = DataSpec(name="c", shape=(3, 32, 32), classes=tuple("0123456789"), mean=(0.5,) * 3, std=(0.2,) * 3, epsilon={})


def one(layer: nn.Module, *shape: int) -> LayerSummary:
    (found,) = summarise(nn.Sequential(layer), shape)
    return found


def flops(model: nn.Module, *shape: int) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.zeros(1, *shape))
    return counter.get_total_flops()


def test_a_convolution_multiplies_each_weight_at_each_position() -> None:
    found = one(nn.Conv2d(3, 8, 5, stride=2, padding=2), 3, 20, 14)
    assert found == LayerSummary("0", "Conv2d", (8, 10, 7), 8 * (3 * 25 + 1), 8 * 3 * 25 * 10 * 7)


def test_groups_divide_a_convolutions_work() -> None:
    assert one(nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), 8, 6, 6).macs == 8 * 9 * 36


def test_a_transposed_convolution_multiplies_each_weight_at_each_position_of_its_input() -> None:
    found = one(nn.ConvTranspose2d(4, 6, 3, stride=2, bias=False), 4, 5, 7)
    assert (found.output_shape, found.macs) == ((6, 11, 15), 4 * 6 * 9 * 5 * 7)


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_multiplies_each_weight_once(bias: bool) -> None:
    assert one(nn.Linear(30, 7, bias=bias), 30) == LayerSummary("0", "Linear", (7,), 7 * (30 + bias), 7 * 30)


def test_a_linear_layer_on_words_multiplies_each_weight_once_a_word() -> None:
    assert one(nn.Linear(30, 7), 5, 30).macs == 5 * 7 * 30


def test_norms_activations_and_pools_are_listed_without_multiply_adds_and_identities_are_not() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Identity(), nn.MaxPool2d(2), nn.Flatten())
    found = [(layer.kind, layer.output_shape, layer.parameters, layer.macs) for layer in summarise(model, (3, 4, 4))]
    assert found == [
        ("BatchNorm2d", (3, 4, 4), 6, 0),
        ("ReLU", (3, 4, 4), 0, 0),
        ("MaxPool2d", (3, 2, 2), 0, 0),
        ("Flatten", (12,), 0, 0),
    ]


class Own(nn.Module):
    """Multiplies beside its layer, with a weight of its own, and shares the layer's weight with another."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6, 5))
        self.first = nn.Linear(4, 6)
        self.second = nn.Linear(4, 6)
        self.second.weight = self.first.weight

    def forward(self, inputs: Tensor) -> Tensor:
        return (self.first(inputs) + self.first(inputs) + self.second(inputs)) @ self.scale


def test_what_a_module_multiplies_itself_is_its_own_and_what_it_does_twice_counts_twice() -> None:
    assert summarise(Own(), (4,)) == [
        LayerSummary("", "Own", (5,), 30, 30),
        LayerSummary("first", "Linear", (6,), 30, 48),
        LayerSummary("second", "Linear", (6,), 6, 24),
    ]


def test_attention_counts_its_two_products() -> None:
    model = VisionTransformer(spec=SPEC, patch_size=8, width=12, depth=1, heads=3)
    by_name = {layer.name: layer for layer in summarise(model, SPEC.shape)}
    words, width = 16, 12
    assert by_name["blocks.0.attention"].macs == 2 * words * words * width
    assert by_name["blocks.0.attention.queries_keys_values"].macs == words * width * 3 * width
    assert by_name[""].parameters == words * width  # the positions


def test_torchs_own_attention_module_is_counted_like_its_formula() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.MultiheadAttention(12, 4, batch_first=True)

        def forward(self, words: Tensor) -> Tensor:
            attended: Tensor = self.inner(words, words, words, need_weights=False)[0]
            return attended

    found = summarise(Attention(), (16, 12))
    assert [(layer.name, layer.output_shape) for layer in found] == [("inner", None), ("inner.out_proj", None)]
    assert total(found).macs == 16 * 12 * 36 + 2 * 16 * 16 * 12 + 16 * 12 * 12
    assert total(found).parameters == 12 * 36 + 36 + 12 * 12 + 12


@pytest.mark.parametrize(
    "model",
    [
        SmallCNN(spec=SPEC),
        ResNet(spec=SPEC, width=8),
        ResNet9(spec=SPEC, widths=[8, 16, 32], residuals=[0, 1]),
        VisionTransformer(spec=SPEC, width=24, depth=2),
        VisionTransformer(spec=SPEC, width=24, depth=2, pool="token"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_networks_totals_are_its_parameters_and_half_the_operations_that_torch_counts(model: nn.Module) -> None:
    found = total(summarise(model, SPEC.shape))
    assert found.output_shape == (10,)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert 2 * found.macs == flops(model, *SPEC.shape)


def test_a_classifier_is_summarised_with_its_network_inside() -> None:
    found = summarise(Classifier(SPEC, SmallCNN(spec=SPEC)), SPEC.shape)
    assert found[-1].name == "net.head"
    assert total(found).macs == total(summarise(SmallCNN(spec=SPEC), SPEC.shape)).macs


def test_the_model_comes_back_as_it_was_without_hooks() -> None:
    model, state = SmallCNN(spec=SPEC, dropout=0.5), torch.get_rng_state()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    summarise(model, SPEC.shape)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(module.training and not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.backends.mha.get_fastpath_enabled()


def test_hooks_are_removed_also_where_the_model_fails() -> None:
    model = SmallCNN(spec=SPEC)
    with pytest.raises(RuntimeError):
        summarise(model, (5, 32, 32))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_network_on_the_meta_device_is_summarised_without_computing() -> None:
    with torch.device("meta"):
        model = ResNet(spec=SPEC)
    assert total(summarise(model, SPEC.shape)).parameters == 11_173_962
