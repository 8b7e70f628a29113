"""What is published under a name: torchvision's own records are the oracle."""

import pytest
import torch
from torchvision import models

from dlcli.classifier import Classifier
from dlcli.contracts import DataSpec
from dlcli.errors import UsageError
from dlcli.models.pretrained import describe, pretrained_names
from dlcli.models.torchvision_model import TorchvisionModel


@pytest.mark.parametrize("name", pretrained_names())
def test_every_name_has_a_thousand_classes_a_checked_file_and_a_preprocessing(name):
    found = describe(name)
    assert len(found.classes) == 1000
    assert (found.classes[0], found.classes[281]) == ("tench", "tabby")
    assert len(found.digest) >= 8
    assert found.digest[:8] in found.file
    assert found.size > 1_000_000
    assert (found.url is None) == name.startswith("efficientnet_lite")


def test_the_usual_weights_of_resnet18_are_described_as_torchvision_does():
    found = describe("resnet18")
    assert (found.file, found.digest) == ("resnet18-f37072fd.pth", "f37072fd")
    assert (found.preprocessing.shape, found.preprocessing.resize) == ((3, 224, 224), 256)
    assert found.preprocessing.mean == (0.485, 0.456, 0.406)
    assert found.reference == "pretrained:resnet18"


def test_efficientnet_lite_has_its_own_pixels_and_bicubic_interpolation():
    own = describe("efficientnet_lite2").preprocessing
    assert (own.shape[1], own.resize, own.interpolation) == (260, 297, "bicubic")
    # (x - 127) / 128 for pixels from 0 to 255.
    assert [(pixel / 255 - own.mean[0]) / own.std[0] for pixel in (0, 255)] == pytest.approx([-127 / 128, 1.0])


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "densenet121", "mnasnet0_5", "googlenet", "vit_b_32", "maxvit_t"])
def test_published_names_of_tensors_fit_the_network(name):
    found = describe(name)
    spec = DataSpec(
        name="any", shape=found.preprocessing.shape, classes=found.classes, mean=(0.5,) * 3, std=(0.5,) * 3, epsilon={}
    )
    extra = {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        published = models.get_model(name, weights=None, **extra).state_dict()
        values = {key: value for key, value in found.node.items() if key != "_target_"}
        model = Classifier(spec, TorchvisionModel(spec=spec, **values), preprocessing=found.preprocessing)
    own = found.own_weights(published)
    assert {key: value.shape for key, value in own.items()} == {key: value.shape for key, value in model.state_dict().items()}


def test_old_names_of_densenets_layers_are_understood():
    own = describe("densenet121").own_weights({"features.denseblock1.denselayer2.norm.1.weight": torch.zeros(1)})
    assert list(own) == ["net.net.features.denseblock1.denselayer2.norm1.weight"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("resnet81", "did you mean 'resnet18'"), ("efficientnet_lite3", "did you mean 'efficientnet_lite"), ("", "there is no")],
)
def test_an_unknown_name_gets_suggestions_from_the_real_list(name, said):
    with pytest.raises(UsageError, match=said):
        describe(name)


def test_timm_is_asked_for_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(UsageError, match="needs timm"):
        describe("timm/resnet18")


@pytest.mark.parametrize("default", [None, "imagenet", "DEFAULT", "IMAGENET1K_V2"])
def test_the_default_set_has_several_names_and_is_one(default):
    assert describe("resnet50", default) == describe("resnet50")


def test_a_set_is_named_behind_the_network_or_apart_from_it():
    named = describe("resnet50@IMAGENET1K_V1")
    assert named.reference == "pretrained:resnet50@IMAGENET1K_V1"
    assert describe("resnet50", "IMAGENET1K_V1") == named
    assert describe("resnet50@IMAGENET1K_V1", "imagenet") == named
    assert describe("resnet50@IMAGENET1K_V1", "IMAGENET1K_V1") == named
    assert describe("resnet50@imagenet").reference == "pretrained:resnet50"


@pytest.mark.parametrize(
    ("name", "weights", "said", "hint"),
    [
        ("resnet50@IMAGENET1K_V1", "IMAGENET1K_V2", "are two sets of weights", "--backbone resnet50@IMAGENET1K_V2"),
        ("efficientnet_lite0", "IMAGENET1K_V1", "it has imagenet alone", "--backbone efficientnet_lite0"),
        ("resnet50@", None, "resnet50 has no weights ''", "--backbone resnet50@IMAGENET1K_V1"),
        ("resnet81@IMAGENET1K_V1", None, "there is no model 'resnet81'", "--backbone resnet18"),
        ("fcn_resnet50", None, "fcn_resnet50 is a network for segmentation, not a classifier", "--backbone resnet50"),
    ],
)
def test_what_is_typed_wrong_is_answered_in_the_words_it_was_typed_in(name, weights, said, hint):
    with pytest.raises(UsageError, match=said) as caught:
        describe(name, weights, typed="--backbone ")
    assert caught.value.hint == hint
