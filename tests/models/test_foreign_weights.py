"""Weights from elsewhere: torchvision's own networks are the files, and their state is the oracle."""

import re

import pytest
import torch
from torchvision import models

from dlcli.classifier import Classifier
from dlcli.contracts import DataSpec
from dlcli.errors import DataError
from dlcli.models.efficientnet_lite import EfficientNetLite
from dlcli.models.foreign_weights import fitted, with_counts
from dlcli.models.torchvision_model import TorchvisionModel

CLASSES = tuple("abcdefghij")
SPEC = DataSpec(name="any", shape=(3, 64, 64), classes=CLASSES, mean=(0.5,) * 3, std=(0.5,) * 3, epsilon={})


@pytest.fixture(scope="module")
def own():
    """The state of a classifier of ten classes around a ResNet-18."""
    torch.manual_seed(0)
    return Classifier(SPEC, TorchvisionModel(spec=SPEC, name="resnet18", small_images=False)).state_dict()


@pytest.fixture(scope="module")
def published():
    """A ResNet-18 as torchvision has it, of a thousand classes."""
    torch.manual_seed(1)
    return models.resnet18(weights=None).state_dict()


def shapes_of(name, **options):
    """The state of a network of torchvision, all zeros, which takes no memory."""
    with torch.device("meta"):
        state = models.get_model(name, weights=None, **options).state_dict()
    return {key: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape) for key, tensor in state.items()}


def own_shapes(name):
    """The state of a classifier around a network of torchvision, all zeros."""
    with torch.device("meta"):
        model = Classifier(SPEC, TorchvisionModel(spec=SPEC, name=name, small_images=False))
    return {key: torch.zeros((), dtype=value.dtype).expand(value.shape) for key, value in model.state_dict().items()}


def fit(given, own, head="net.net.fc"):
    return fitted(given, own, head=head, source="w.pth")


@pytest.mark.parametrize("prefix", ["", "module.", "model.backbone.", "module.pre.", "encoder.", "net.net.", "a.b.c.net."])
def test_any_prefix_is_found_and_taken_off(own, published, prefix):
    found = fit({f"{prefix}{name}": tensor for name, tensor in published.items()}, own)
    body = {f"net.net.{name}": tensor for name, tensor in published.items() if not name.startswith("fc.")}
    assert set(found.body) == set(body) == {name for name in own if ".fc." not in name}
    assert all(torch.equal(found.body[name], tensor) for name, tensor in body.items())


def test_names_as_they_are_here_have_no_prefix(own):
    found = fit(own, own)
    assert found.prefix == ""
    assert {**found.body, **found.head}.keys() == own.keys()
    assert found.unused == ()
    assert found.note == "w.pth: 120 tensors fit; its head is 10 x 512 (10 outputs), as yours"


def test_a_head_of_other_classes_is_left_and_this_is_said(own, published):
    found = fit({f"module.pre.{name}": tensor for name, tensor in published.items()}, own)
    assert (found.prefix, found.head) == ("module.pre.", {})
    assert found.unused == ("module.pre.fc.weight", "module.pre.fc.bias")
    # ResNet-18 has 20 convolutions and 20 normalisations of 5 tensors.
    assert found.note == (
        "w.pth: 120 tensors fit after removing 'module.pre.'; its head is 1000 x 512 (1000 outputs), yours has 10: "
        "a new head is made; 2 tensors are not used"
    )


def test_a_file_without_a_head_is_a_body(own, published):
    found = fit({name: tensor for name, tensor in published.items() if not name.startswith("fc.")}, own)
    assert "it has no such head: a new head is made" in found.note
    assert found.unused == ()


def test_half_a_head_is_no_head(own, published):
    found = fit({**published, "fc.bias": torch.zeros(10)}, own)
    assert found.head == {}


def test_of_two_encoders_the_files_first_is_taken_and_queues_and_projections_stay_unused(own, published):
    body = {name: tensor for name, tensor in published.items() if not name.startswith("fc.")}
    given = {f"module.encoder_q.{name}": tensor for name, tensor in body.items()}
    given |= {"module.encoder_q.fc.0.weight": torch.zeros(512, 512), "module.encoder_q.fc.2.weight": torch.zeros(128, 512)}
    given |= {f"module.encoder_k.{name}": torch.zeros_like(tensor) for name, tensor in body.items()}
    given |= {"module.queue": torch.zeros(128, 99)}
    found = fit(given, own)
    assert found.prefix == "module.encoder_q."
    assert torch.equal(found.body["net.net.conv1.weight"], published["conv1.weight"])
    assert len(found.unused) == 120 + 3


def test_counts_of_batches_may_be_missing(own, published):
    found = fit({name: tensor for name, tensor in published.items() if "num_batches" not in name}, own)
    assert found.body["net.net.bn1.num_batches_tracked"] == own["net.net.bn1.num_batches_tracked"]
    assert torch.equal(found.body["net.net.bn1.weight"], published["bn1.weight"])


def test_counts_of_batches_are_filled_in_and_nothing_else(own):
    lacking = {name: tensor for name, tensor in own.items() if "num_batches" not in name}
    assert with_counts(lacking, own).keys() == own.keys()
    assert with_counts({"a.num_batches_tracked": torch.tensor(7)}, {"a.num_batches_tracked": torch.tensor(0)}) == {
        "a.num_batches_tracked": torch.tensor(7)
    }
    assert with_counts({}, {"a.weight": torch.zeros(1)}) == {}


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_widths_become_float32_and_counts_stay_whole(own, published, kind):
    found = fit({name: tensor.to(kind) for name, tensor in published.items()}, own)
    assert {name: tensor.dtype for name, tensor in found.body.items()} == {
        name: tensor.dtype for name, tensor in own.items() if ".fc." not in name
    }
    assert torch.equal(found.body["net.net.conv1.weight"], published["conv1.weight"].to(kind).float())


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (torch.full((64,), torch.nan), "w.pth: bn1.bias holds 64 of 64 numbers that are not finite"),
        (torch.full((64,), 1e300, dtype=torch.float64), "bn1.bias holds 64 of 64 numbers that are not finite"),
        (torch.zeros(64, dtype=torch.int8), "bn1.bias holds int8, expected floating-point numbers"),
        (torch.zeros(64, dtype=torch.complex64), "bn1.bias holds complex64, expected floating-point numbers"),
    ],
)
def test_numbers_that_are_no_weights_are_refused(own, published, tensor, said):
    with pytest.raises(DataError, match=said):
        fit({**published, "bn1.bias": tensor}, own)


@pytest.mark.filterwarnings("ignore")
def test_quantised_weights_are_refused(own, published):
    low = torch.quantize_per_tensor(torch.zeros(64), 0.1, 0, torch.qint8)
    with pytest.raises(DataError, match=r"bn1\.bias holds qint8, expected floating-point numbers"):
        fit({**published, "bn1.bias": low}, own)


def test_weights_of_another_network_are_told_by_the_first_five_that_differ(own):
    with pytest.raises(DataError, match=r"w\.pth holds weights of another network: ") as caught:
        fit(shapes_of("alexnet"), own)
    named = caught.value.message.partition("network: ")[2].split("; ")
    assert named[0] == "conv1.weight is missing, expected (64, 3, 7, 7)"
    assert named[-1] == "and 95 more differ"  # 120 tensors less 20 counts, less the five shown
    assert len(named) == 6
    assert caught.value.hint == "--weights imagenet, or the backbone that the file was made with"


def test_shapes_that_differ_are_both_told(own):
    with pytest.raises(DataError, match=r"layer1.0.conv1.weight is \(64, 64, 1, 1\), expected \(64, 64, 3, 3\); "):
        fit(shapes_of("resnet50"), own)


@pytest.mark.parametrize(("deep", "shallow"), [("resnet34", "resnet18"), ("resnet101", "resnet50"), ("vgg19", "vgg16")])
def test_a_deeper_network_of_the_family_is_another_one_though_it_holds_all_of_the_shallower(deep, shallow):
    head = "net.net.classifier.6" if shallow == "vgg16" else "net.net.fc"
    with pytest.raises(DataError, match="holds weights of another network"):
        fit(shapes_of(deep), own_shapes(shallow), head=head)


@pytest.mark.parametrize(
    ("name", "head", "options"),
    [
        ("vgg11_bn", "classifier.6", {}),
        ("vit_b_32", "heads.head", {"image_size": 64}),
        ("densenet121", "classifier", {}),
        ("efficientnet_b0", "classifier.1", {}),
        ("squeezenet1_1", "classifier.1", {}),
        ("googlenet", "fc", {"aux_logits": True, "init_weights": False}),
    ],
)
def test_files_of_every_family_fit_their_network(name, head, options):
    own = own_shapes(name)
    found = fit(shapes_of(name, **options), own, head=f"net.net.{head}")
    assert set(found.body) == {key for key in own if not key.startswith(f"net.net.{head}.")}
    assert all(part.startswith((head, "aux")) for part in found.unused)


def test_a_longer_head_in_the_place_of_the_networks_own_may_stay_unused():
    given = {**shapes_of("vgg11"), "classifier.8.weight": torch.zeros(5, 1000)}
    assert "classifier.8.weight" in fit(given, own_shapes("vgg11"), head="net.net.classifier.6").unused


# Names of layers here, and in the published EfficientNet-Lite: of the network, and of a block.
LITE = {"stem": "_conv_stem", "stem_norm": "_bn0", "head": "_conv_head", "head_norm": "_bn1", "classifier": "_fc"}
BLOCK = {"expand": "_expand_conv", "expand_norm": "_bn0", "depthwise": "_depthwise_conv", "depthwise_norm": "_bn1"}
BLOCK |= {"project": "_project_conv", "project_norm": "_bn2"}


def lite_name(name):
    parts = name.split(".")
    return ".".join(["_blocks", parts[1], BLOCK[parts[2]], *parts[3:]] if parts[0] == "blocks" else [LITE[parts[0]], *parts[1:]])


def test_published_names_of_efficientnet_lite_are_understood_behind_a_prefix():
    own = Classifier(SPEC, EfficientNetLite(spec=SPEC)).state_dict()
    given = {f"module.{lite_name(name.removeprefix('net.'))}": tensor + 1 for name, tensor in own.items()}
    found = fit(given, own, head="net.classifier")
    assert (found.prefix, found.unused, len(found.head)) == ("module.", (), 2)
    assert all(torch.equal({**found.body, **found.head}[name], tensor + 1) for name, tensor in own.items())


def test_old_names_of_densenet_are_understood():
    own = own_shapes("densenet121")
    state = shapes_of("densenet121")
    given = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): tensor for name, tensor in state.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in given
    assert fit(given, own, head="net.net.classifier").unused == ("classifier.weight", "classifier.bias")


def test_other_constants_than_the_networks_are_another_network():
    own = {"net.net.index": torch.arange(4), "net.net.fc.weight": torch.zeros(1)}
    with pytest.raises(DataError, match="index holds other constants"):
        fit({"index": torch.tensor([0, 1, 2, 99])}, own)
    assert fit({"index": torch.arange(4)}, own).unused == ()


@pytest.mark.parametrize("given", [{}, {"." * 50_000: torch.zeros(1)}, {"": torch.zeros(1)}])
def test_a_file_with_nothing_of_the_network_is_refused_at_once(own, given):
    with pytest.raises(DataError, match="and 95 more differ"):
        fit(given, own)
