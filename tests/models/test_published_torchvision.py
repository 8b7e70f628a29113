"""Torchvision's sets of weights; its own records and transforms are the oracle."""

import pytest
import torch
from torchvision import models

from dlcli.errors import UsageError
from dlcli.models.published_torchvision import classifier_names, of_torchvision, other_purpose

# All sets but IMAGENET1K_FEATURES, which has no classes.
SETS = [
    (name, one.name)
    for name in classifier_names()
    for one in models.get_model_weights(name)
    if one.meta["categories"] is not None
]


def described(name, weights=None):
    return of_torchvision(name, weights, typed="pretrained:")


@pytest.mark.parametrize(("name", "weights"), SETS, ids=lambda part: part)
def test_every_set_has_the_preprocessing_that_torchvision_gives_it(name, weights):
    found = described(name, weights).preprocessing
    transforms = models.get_model_weights(name)[weights].transforms()
    # Between 0.4 and 0.6 bicubic edges stay within [0, 1], where torchvision would let them leave it.
    images = 0.4 + 0.2 * torch.rand(1, 3, 70, 51, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (found.mean, found.std))
    fitted = found.fit(images)
    if name in {"googlenet", "inception_v3"}:  # their own code turns torchvision's numbers into (x - 0.5) / 0.5
        mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (transforms.mean, transforms.std))
    torch.testing.assert_close((fitted - mean) / std, transforms(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_the_two_networks_that_standardise_again_are_given_what_they_make_of_it(name):
    found = described(name).preprocessing
    network = models.get_model(name, weights=None, aux_logits=True, init_weights=False, transform_input=True)
    transforms = models.get_model_weights(name).DEFAULT.transforms()
    pixels = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (transforms.mean, transforms.std))
    own_mean, own_std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (found.mean, found.std))
    torch.testing.assert_close((pixels - own_mean) / own_std, network._transform_input((pixels - mean) / std))


def test_the_default_set_keeps_the_networks_name_and_others_add_theirs():
    assert described("resnet50").reference == "pretrained:resnet50"
    assert described("resnet50", "IMAGENET1K_V2") == described("resnet50")
    assert described("resnet50").weights == "IMAGENET1K_V2"
    other = described("resnet50", "IMAGENET1K_V1")
    assert (other.reference, other.weights) == ("pretrained:resnet50@IMAGENET1K_V1", "IMAGENET1K_V1")
    assert (other.file, other.digest) == ("resnet50-0676ba61.pth", "0676ba61")


def test_a_set_made_on_other_sizes_brings_them():
    found = described("vit_b_16", "IMAGENET1K_SWAG_E2E_V1").preprocessing
    assert (found.shape, found.resize, found.interpolation) == ((3, 384, 384), 384, "bicubic")


def test_a_set_made_with_another_mean_brings_it():
    assert described("efficientnet_v2_l").preprocessing.mean == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "weights", "said", "hint"),
    [
        (
            "resnet50",
            "IMAGENET1K_V3",
            "no weights 'IMAGENET1K_V3'; it has IMAGENET1K_V1 and IMAGENET1K_V2",
            "resnet50@IMAGENET1K_V",
        ),
        ("resnet18", "x", "resnet18 has no weights 'x'; it has IMAGENET1K_V1", "resnet18@IMAGENET1K_V1"),
        ("resnet18", "", "resnet18 has no weights ''", "resnet18@IMAGENET1K_V1"),
        ("vgg16", "IMAGENET1K_FEATURES", "IMAGENET1K_FEATURES of vgg16 holds no classifier; it has IMAGENET1K_V1", "vgg16@"),
    ],
)
def test_an_unknown_set_gets_the_list_of_those_there_are(name, weights, said, hint):
    with pytest.raises(UsageError, match=said) as caught:
        described(name, weights)
    assert str(caught.value.hint).startswith(f"pretrained:{hint}")


def test_a_misspelt_set_gets_a_suggestion():
    with pytest.raises(UsageError, match="did you mean 'IMAGENET1K_SWAG_E2E_V1'"):
        described("vit_b_16", "SWAG_E2E_V1")


@pytest.mark.parametrize(
    ("name", "purpose", "classifier"),
    [
        ("fcn_resnet50", "segmentation", "resnet50"),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", "object detection", "mobilenet_v3_large"),
        ("raft_large", "optical flow", "resnet18"),
        ("r3d_18", "video", "resnet18"),
        ("swin3d_t", "video", "resnet18"),
        ("quantized_resnet50", "quantised", "resnet50"),
    ],
)
def test_what_is_no_classifier_is_called_what_it_is(name, purpose, classifier):
    words, near = other_purpose(name)
    assert purpose in words
    assert near == classifier


def test_every_network_of_torchvision_is_a_classifier_or_has_a_purpose():
    known = {name: other_purpose(name) for name in models.list_models()}
    assert {name for name, found in known.items() if found is None} == set(classifier_names())
    assert not [name for name, found in known.items() if found is not None and found[0] == "another kind of network"]
    assert other_purpose("resnet81") is None
