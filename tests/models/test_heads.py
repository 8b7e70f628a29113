import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.heads import head_name, head_parameter_names, output_count, replace_head


def spec(classes: int) -> DataSpec:
    names = tuple(str(number) for number in range(classes))
    return DataSpec(name="any", shape=(4,), classes=names, mean=(0.0,) * 4, std=(1.0,) * 4, kind="table", epsilon={})


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.ModuleDict({"inner": nn.Linear(5, 3)}), nn.ReLU())


@pytest.mark.parametrize(("classes", "outputs", "expected"), [(10, None, 10), (2, None, 2), (10, 10, 10), (2, 1, 1), (2, 2, 2)])
def test_outputs_are_one_per_class_or_one_binary_logit(classes, outputs, expected):
    assert output_count(spec(classes), outputs) == expected


@pytest.mark.parametrize(("classes", "outputs"), [(10, 1), (10, 11), (2, 3), (2, 0)])
def test_any_other_number_of_outputs_is_refused(classes, outputs):
    with pytest.raises(ValueError, match=f"outputs must be {classes} .*, got {outputs}"):
        output_count(spec(classes), outputs)


def test_the_head_is_the_last_linear_layer_however_deep():
    assert head_name(net()) == "2.inner"


def test_the_heads_parameters_are_named_as_the_network_names_them():
    names = head_parameter_names(net())
    assert names == ("2.inner.weight", "2.inner.bias")
    assert set(names) <= {name for name, _ in net().named_parameters()}


def test_a_replaced_head_has_the_new_rows_and_the_rest_stays_the_same_object():
    network = net()
    first = network[0].weight
    assert replace_head(network, 7) == "2.inner"
    assert network[2]["inner"].weight.shape == (7, 5)
    assert network[0].weight is first
    assert [name for name, _ in network.named_modules()] == [name for name, _ in net().named_modules()]


def test_a_replaced_head_is_drawn_under_the_callers_seed():
    one, two = net(), net()
    for network in (one, two):
        torch.manual_seed(5)
        replace_head(network, 3)
    assert torch.equal(one[2]["inner"].weight, two[2]["inner"].weight)
    torch.manual_seed(6)
    replace_head(two, 3)
    assert not torch.equal(one[2]["inner"].weight, two[2]["inner"].weight)


def test_a_replaced_head_keeps_type_bias_and_training_mode():
    network = nn.Sequential(nn.Linear(4, 3, bias=False, dtype=torch.float64)).eval()
    replace_head(network, 2)
    head = network[0]
    assert (head.weight.dtype, head.bias, head.training) == (torch.float64, None, False)


@pytest.mark.parametrize("network", [nn.Conv2d(1, 1, 1), nn.Linear(3, 2)], ids=["no linear layer", "nothing but one"])
def test_a_network_without_a_linear_layer_inside_has_no_head(network):
    with pytest.raises(ValueError, match="has no linear layer inside"):
        replace_head(network, 2)


def test_a_head_of_no_rows_is_refused():
    with pytest.raises(ValueError, match="outputs must be at least 1, got 0"):
        replace_head(net(), 0)
