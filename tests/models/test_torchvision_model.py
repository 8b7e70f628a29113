import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.models.heads import head_name
from dlcli.models.torchvision_model import TorchvisionModel

models = pytest.importorskip("torchvision.models")
# Small ones of the families that differ in how they are built.
FAMILIES = [
    "alexnet",
    "convnext_tiny",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "resnet18",
    "squeezenet1_1",
    "swin_t",
    "vit_b_32",
]
SMALL_STEMS = ["resnet18", "densenet121", "shufflenet_v2_x0_5", "mobilenet_v3_small", "efficientnet_b0", "mnasnet0_5"]


def spec(*shape: int, classes: int = 10) -> DataSpec:
    names = tuple(str(number) for number in range(classes))
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * shape[0], std=(1.0,) * shape[0], epsilon={})


def on_meta(name: str, *shape: int, **values: object) -> TorchvisionModel:
    with torch.device("meta"):
        return TorchvisionModel(spec=spec(*shape), name=name, **values)


def first_convolution(model: nn.Module) -> nn.Conv2d:
    return next(module for module in model.modules() if isinstance(module, nn.Conv2d))


def smallest_maps(model: nn.Module) -> int:
    """Pixels along a side of the last maps of 128-pixel images, before they are pooled to one pixel."""
    sizes: list[int] = []
    handles = [
        module.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[2]))
        for module in model.modules()
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    model.eval()(torch.empty(1, 3, 128, 128, device="meta"))
    for handle in handles:
        handle.remove()
    return min(size for size in sizes if size > 1)


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_takes_images_of_any_channels_and_gives_one_logit_per_class(name):
    model, inputs = on_meta(name, 2, 224, 224), torch.empty(2, 2, 224, 224, device="meta")
    assert first_convolution(model).in_channels == 2
    assert model(inputs).shape == (2, 10)  # a tensor in training as well: there are no auxiliary heads
    if name != "squeezenet1_1":  # ends in a convolution
        assert model.get_submodule(head_name(model)).out_features == 10


def test_regnets_which_need_numbers_to_be_built_are_among_them():
    model = TorchvisionModel(spec=spec(1, 32, 32), name="regnet_y_400mf").eval()
    assert model(torch.randn(2, 1, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_on_large_colour_images_it_is_torchvisions_network_from_the_same_draws(name):
    torch.manual_seed(5)
    own = TorchvisionModel(spec=spec(3, 96, 96), name=name).net.state_dict()
    torch.manual_seed(5)
    theirs = models.get_model(name, weights=None, num_classes=10).state_dict()
    assert list(own) == list(theirs)
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in own.items())


@pytest.mark.parametrize(("name", "parameters"), [("resnet18", 11_689_512), ("resnet50", 25_557_032), ("alexnet", 61_100_840)])
def test_for_imagenet_it_has_the_published_parameters(name, parameters):
    with torch.device("meta"):
        model = TorchvisionModel(spec=spec(3, 224, 224, classes=1000), name=name)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_with_the_small_stem_resnet_18_has_the_parameters_published_for_cifar():
    assert sum(parameter.numel() for parameter in on_meta("resnet18", 3, 32, 32).parameters()) == 11_173_962


@pytest.mark.parametrize("name", SMALL_STEMS)
def test_a_small_stem_keeps_the_size_of_the_image(name):
    kept, shrunk = (on_meta(name, 3, 32, 32, small_images=small) for small in (True, False))
    stem = first_convolution(kept)
    assert (stem.kernel_size, stem.stride, stem.padding) == ((3, 3), (1, 1), (1, 1))
    assert first_convolution(shrunk).stride == (2, 2)
    assert smallest_maps(kept) in {2 * smallest_maps(shrunk), 4 * smallest_maps(shrunk)}  # 4 where it had a pool as well


def test_left_open_the_small_stem_is_for_images_of_at_most_64_pixels():
    assert [first_convolution(on_meta("resnet18", 3, side, side)).stride[0] for side in (28, 64, 65, 224)] == [1, 1, 2, 2]


def test_a_family_whose_stem_cuts_patches_has_no_small_one():
    with pytest.raises(ValueError, match=r"^small_images must be false for convnext_tiny; there is a small stem for resnet, "):
        on_meta("convnext_tiny", 3, 32, 32, small_images=True)
    assert first_convolution(on_meta("convnext_tiny", 3, 32, 32)).stride == (4, 4)


def test_dropout_reaches_the_networks_own_layers():
    model = on_meta("alexnet", 3, 64, 64, dropout=0.25)
    assert [module.p for module in model.modules() if isinstance(module, nn.Dropout)] == [0.25, 0.25]


def test_the_momentum_of_batch_norms_is_the_networks_own_or_the_one_that_is_given():
    def momenta(**values: object) -> set[float]:
        model = on_meta("mobilenet_v3_small", 3, 32, 32, **values)
        return {module.momentum for module in model.modules() if isinstance(module, nn.BatchNorm2d)}

    assert (momenta(), momenta(norm_momentum=0.1)) == ({0.01}, {0.1})


def test_a_network_without_dropout_gets_it_before_its_head():
    model = on_meta("resnet18", 3, 32, 32, dropout=0.25)
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Dropout | nn.Linear)]
    assert names == ["net.fc.0", "net.fc.1"]
    assert head_name(model) == "net.fc.1"


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("alexnet", (1, 28, 28), r"^alexnet needs images \(C, H, W\) of at least 63 x 63 pixels, got \(1, 28, 28\)"),
        ("vgg11", (1, 28, 28), "^vgg11 needs images .* of at least 32 x 32 pixels"),
        ("vit_b_16", (3, 28, 28), "^vit_b_16 needs square images with a multiple of 16 pixels along each side"),
        ("vit_b_16", (3, 32, 48), "^vit_b_16 needs square images"),
        ("maxvit_t", (3, 32, 32), "^maxvit_t cannot take images of 32 x 32 pixels: Input size"),
        ("resnet18", (30,), "^resnet18 needs images"),
    ],
)
def test_images_that_a_network_cannot_take_are_refused_before_training(name, shape, message):
    with pytest.raises(ValueError, match=message):
        on_meta(name, *shape)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "resnet81"}, "^name must be a classifier of torchvision, got 'resnet81'; did you mean 'resnet18'"),
        ({"name": "fcn_resnet50"}, "^name must be a classifier of torchvision, got 'fcn_resnet50'"),
        ({"name": "__init__"}, "^name must be a classifier of torchvision"),
        ({"dropout": 1.0}, r"^dropout must be in \[0, 1\), got 1.0"),
        ({"norm_momentum": 0.0}, r"^norm_momentum must be in \(0, 1\], got 0.0"),
        ({"outputs": 3}, "^outputs must be 10 .*, got 3"),
    ],
)
def test_a_value_out_of_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        TorchvisionModel(spec=spec(3, 32, 32), **value)
