import pytest
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.heads import head_name, output_count


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


def test_where_no_layer_is_linear_the_head_is_the_last_convolution():
    assert head_name(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 10, 1), nn.AdaptiveAvgPool2d(1))) == "2"


@pytest.mark.parametrize("network", [nn.Flatten(), nn.Linear(3, 2)], ids=["no such layer", "nothing but one"])
def test_a_network_without_such_a_layer_inside_has_no_head(network):
    with pytest.raises(ValueError, match="has no linear layer and no convolution inside"):
        head_name(network)
