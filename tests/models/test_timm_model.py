import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.timm_model import TimmModel


def spec(*shape: int) -> DataSpec:
    names = tuple("0123456789")
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * shape[0], std=(1.0,) * shape[0], epsilon={})


class StandIn(nn.Module):
    """A network with timm's constructor; it takes images of at least 8 pixels."""

    def __init__(self, *, pretrained: bool, num_classes: int, in_chans: int, **options: object) -> None:
        super().__init__()
        assert not pretrained
        self.options = options
        self.conv = nn.Conv2d(in_chans, 4, 8)
        self.fc = nn.Linear(4, num_classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(inputs).mean(dim=(2, 3)))


@pytest.fixture
def timm(monkeypatch):
    """The part of timm that is used, with two networks; a fixed size is what vision transformers have."""
    names = ["plain", "fixed_size_224", "picky"]

    def create_model(name: str, **options: object) -> nn.Module:
        if name == "picky":
            raise AssertionError("something does not divide")
        return StandIn(**options)

    module = SimpleNamespace(
        is_model=names.__contains__,
        list_models=lambda: names,
        create_model=create_model,
        get_pretrained_cfg=lambda name: SimpleNamespace(fixed_input_size=name.startswith("fixed")),
    )
    monkeypatch.setitem(sys.modules, "timm", module)


def test_without_timm_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"^timm/convnext_atto needs timm: pip install timm$"):
        TimmModel(spec=spec(3, 32, 32), name="convnext_atto")


@pytest.mark.usefixtures("timm")
def test_the_network_is_made_for_the_datas_channels_and_classes():
    model = TimmModel(spec=spec(2, 16, 16), name="plain")
    assert model(torch.randn(3, 2, 16, 16)).shape == (3, 10)
    assert model.net.options == {}


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize("name", ["fixed_size_224", "fixed_size_224.some_weights"])
def test_a_network_of_one_size_is_made_for_the_datas(name, monkeypatch):
    monkeypatch.setattr(sys.modules["timm"], "is_model", lambda architecture: architecture == "fixed_size_224")
    assert TimmModel(spec=spec(3, 24, 16), name=name).net.options == {"img_size": (24, 16)}


@pytest.mark.usefixtures("timm")
def test_dropout_is_timms_drop_rate():
    assert TimmModel(spec=spec(3, 16, 16), name="plain", dropout=0.3).net.options == {"drop_rate": 0.3}


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("shape", "value", "message"),
    [
        ((3, 16, 16), {"name": "plian"}, "^name must be a network of timm, got 'plian'; did you mean 'plain'"),
        ((3, 16, 16), {"name": "hf_hub:someone/model"}, "^name must be a network of timm"),
        ((3, 16, 16), {"name": "plain", "dropout": 1.0}, r"^dropout must be in \[0, 1\), got 1.0"),
        ((3, 7, 16), {"name": "plain"}, r"^timm/plain needs images \(C, H, W\) of at least 8 x 8 pixels, got \(3, 7, 16\)"),
        ((3, 16, 16), {"name": "picky"}, r"^timm/picky cannot be built for images \(3, 16, 16\): something does not divide"),
        ((30,), {"name": "plain"}, "^timm/plain needs images"),
    ],
)
def test_what_cannot_be_built_is_refused_with_its_reason(shape, value, message):
    with pytest.raises(ValueError, match=message):
        TimmModel(spec=spec(*shape), **value)


@pytest.mark.parametrize("name", ["resnet18", "convnext_atto", "vit_tiny_patch16_224"])
def test_with_the_real_timm_networks_of_several_families_are_built(name):
    pytest.importorskip("timm", reason="timm is not installed")
    with torch.device("meta"):
        model = TimmModel(spec=spec(1, 32, 32), name=name)
    assert model(torch.empty(2, 1, 32, 32, device="meta")).shape == (2, 10)
