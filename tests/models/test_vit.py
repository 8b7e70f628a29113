import pytest
import torch
from torch import nn

from dlcli.contracts import DataSpec
from dlcli.explainers.layers import spatial_layer
from dlcli.models.heads import head_name
from dlcli.models.vit import SelfAttention, VisionTransformer


def spec(*shape: int) -> DataSpec:
    channels = shape[0]
    names = tuple("0123456789")
    return DataSpec(name="any", shape=shape, classes=names, mean=(0.0,) * channels, std=(1.0,) * channels, epsilon={})


SMALL = {"width": 12, "depth": 2, "heads": 3}


def small(pool: str = "mean", **changes: object) -> VisionTransformer:
    return VisionTransformer(spec=spec(3, 8, 12), **{**SMALL, "pool": pool, **changes}).eval()


@pytest.mark.parametrize("pool", ["mean", "token"])
def test_its_parameters_are_those_of_its_equations(pool):
    width, words = 192, 64 + (pool == "token")
    block = 4 * width * (width + 1) + 2 * 4 * width * width + 5 * width + 2 * 2 * width
    expected = (
        width * (3 * 16 + 1) + words * width + (width if pool == "token" else 0) + 12 * block + 2 * width + 10 * (width + 1)
    )
    with torch.device("meta"):
        model = VisionTransformer(spec=spec(3, 32, 32), pool=pool)
    assert sum(parameter.numel() for parameter in model.parameters()) == expected
    assert expected == {"mean": 5_362_378, "token": 5_362_762}[pool]


def test_with_the_same_weights_it_computes_what_torchvisions_vision_transformer_does():
    theirs_of = pytest.importorskip("torchvision.models.vision_transformer").VisionTransformer
    theirs = theirs_of(image_size=8, patch_size=4, num_layers=2, num_heads=3, hidden_dim=12, mlp_dim=48, num_classes=10).eval()
    for parameter in theirs.parameters():  # its head starts at zero, and its norms at one
        nn.init.normal_(parameter, std=0.3)
    own = VisionTransformer(spec=spec(3, 8, 8), pool="token", **SMALL).eval()
    names = {"patches": "conv_proj", "norm": "encoder.ln", "head": "heads.head"}
    for block in range(2):
        at, there = f"blocks.{block}.", f"encoder.layers.encoder_layer_{block}."
        names |= {
            f"{at}norm1": f"{there}ln_1",
            f"{at}norm2": f"{there}ln_2",
            f"{at}attention.out": f"{there}self_attention.out_proj",
        }
        names |= {f"{at}mlp.0": f"{there}mlp.0", f"{at}mlp.3": f"{there}mlp.3"}
    state = theirs.state_dict()
    weights = {f"{one}.{kind}": state[f"{other}.{kind}"] for one, other in names.items() for kind in ("weight", "bias")}
    weights |= {"token": state["class_token"], "positions": state["encoder.pos_embedding"]}
    for block in range(2):
        for kind in ("weight", "bias"):
            found = state[f"encoder.layers.encoder_layer_{block}.self_attention.in_proj_{kind}"]
            weights[f"blocks.{block}.attention.queries_keys_values.{kind}"] = found
    own.load_state_dict(weights, strict=True)
    inputs = torch.randn(3, 3, 8, 8)
    with torch.no_grad():
        assert torch.allclose(own(inputs), theirs(inputs), atol=1e-4)


def test_attention_is_the_softmax_of_scaled_products():
    attention, words = SelfAttention(6, 2), torch.randn(2, 5, 6)
    queries, keys, values = attention.queries_keys_values(words).chunk(3, dim=2)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        weights = (queries[..., part] @ keys[..., part].transpose(1, 2) / 3**0.5).softmax(dim=2)
        heads.append(weights @ values[..., part])
    assert torch.allclose(attention(words), attention.out(torch.cat(heads, dim=2)), atol=1e-6)


@pytest.mark.parametrize("pool", ["mean", "token"])
def test_patches_are_told_apart_by_their_positions(pool):
    model, inputs = small(pool), torch.randn(1, 3, 8, 12)
    swapped = torch.cat([inputs[..., 4:8], inputs[..., :4], inputs[..., 8:]], dim=3)
    assert not torch.allclose(model(inputs), model(swapped), atol=1e-6)
    nn.init.zeros_(model.positions)
    assert torch.allclose(model(inputs), model(swapped), atol=1e-6)


@pytest.mark.parametrize("pool", ["mean", "token"])
def test_grad_cam_finds_a_late_map_of_the_patches_that_the_logits_depend_on(pool):
    model, found = small(pool), []
    name, layer = spatial_layer(model, torch.zeros(1, 3, 8, 12))
    assert name == "maps"
    layer.register_forward_hook(lambda module, inputs, output: found.append(output))
    logits = model(torch.randn(2, 3, 8, 12))
    (gradient,) = torch.autograd.grad(logits[:, 3].sum(), found[0])
    assert gradient.shape == (2, 12, 2, 3)
    assert gradient.abs().sum(dim=1).gt(0).all()


def test_the_map_of_the_patches_lies_as_the_image_does():
    model, inputs = small(), torch.zeros(1, 3, 8, 12)
    before = model.patches(inputs)
    inputs[..., 4:8, 8:12] = 1.0  # the second row's third patch
    changed = (model.maps(model.patches(inputs).flatten(2).transpose(1, 2)) - before).abs().sum(dim=1)[0] > 0
    assert changed.nonzero().tolist() == [[1, 2]]


def test_dropout_acts_in_training_only():
    model, inputs = small(dropout=0.5).train(), torch.randn(2, 3, 8, 12)
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


@pytest.mark.parametrize("pool", ["mean", "token"])
def test_the_head_is_the_linear_layer_named_head(pool):
    assert head_name(small(pool)) == "head"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"patch_size": 5}, "^patch_size must divide the 8 x 12 pixels of the images, got 5"),
        ({"patch_size": 0}, "^patch_size must be at least 1, got 0"),
        ({"heads": 5}, r"^width must be a multiple of heads \(5\), got 12"),
        ({"heads": 0}, "^heads must be at least 1, got 0"),
        ({"depth": 0}, "^depth must be at least 1, got 0"),
        ({"mlp_ratio": 0}, "^mlp_ratio must be at least 1, got 0"),
        ({"pool": "max"}, "^pool must be token or mean, got 'max'"),
        ({"dropout": 1.0}, r"^dropout must be in \[0, 1\), got 1.0"),
    ],
)
def test_a_value_out_of_range_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        VisionTransformer(spec=spec(3, 8, 12), **{**SMALL, **value})


def test_tiny_images_are_refused():
    with pytest.raises(ValueError, match=r"^VisionTransformer needs images .* of at least 8 x 8 pixels"):
        VisionTransformer(spec=spec(3, 4, 8))
