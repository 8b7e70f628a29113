"""What every explainer promises, for every YAML in configs/explainer."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.contracts import Explainer
from dlcli.errors import UsageError
from dlcli.randomness import SampleKeys

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "explainer").glob("*.yaml"))
SHAPE = (3, 7, 5)

every_explainer = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def labels(count: int, classes: int) -> Tensor:
    return torch.arange(count) % max(classes, 2)


class Attending(nn.Module):
    """Attention over all positions, with dropout and a shortcut, as maps again."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(width), nn.MultiheadAttention(width, 2, batch_first=True, dropout=0.1)

    def forward(self, maps: Tensor) -> Tensor:
        words = maps.flatten(2).transpose(1, 2)
        seen = self.norm(words)
        words = words + self.attention(seen, seen, seen, need_weights=False)[0]
        return words.transpose(1, 2).reshape(maps.shape)


def fitting(model: nn.Module, explainer: Explainer) -> nn.Module:
    """The conv net; with mean pooling for an explainer that cannot follow max pooling, with attention for one that needs it."""
    if not getattr(explainer, "max_pooling", True):
        model[6] = nn.AvgPool2d(2)
    if type(explainer).__name__ == "AttentionRollout":
        torch.manual_seed(0)
        model[2] = Attending(4)
        model[3] = nn.Conv2d(4, 6, 1)
    return model


@every_explainer
def test_a_yaml_builds_an_explainer(path: Path, build: Any) -> None:
    explainer = build(path)
    assert isinstance(explainer, Explainer)
    assert explainer.kind == "explainer"


@every_explainer
@pytest.mark.parametrize("classes", [1, 2, 3, 10])
@pytest.mark.parametrize("shape", [(1, 4, 6), SHAPE])
def test_the_maps_are_finite_and_of_the_inputs_size(
    path: Path, *, classes: int, shape: tuple[int, ...], build: Any, make_conv_net: Any, make_images: Any
) -> None:
    explainer = build(path)
    maps = explainer(fitting(make_conv_net(classes, shape), explainer), make_images(6, shape), labels(6, classes))
    assert maps.shape == (6, *shape[1:])
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert maps.isfinite().all()


@every_explainer
@pytest.mark.parametrize("shape", [SHAPE, (6,)])
def test_a_model_without_feature_maps_is_explained_or_refused_with_a_hint(
    path: Path, *, shape: tuple[int, ...], build: Any, make_affine: Any, make_images: Any
) -> None:
    expected = (4, *shape[1:]) if len(shape) == 3 else (4, *shape)
    try:
        maps = build(path)(make_affine(3, shape), make_images(4, shape), labels(4, 3))
    except UsageError as refusal:
        assert refusal.hint
    else:
        assert maps.shape == expected


@every_explainer
def test_the_map_depends_on_the_class(path: Path, build: Any, make_conv_net: Any, make_images: Any) -> None:
    inputs, explainer = make_images(4, SHAPE), build(path)
    model = fitting(make_conv_net(3, SHAPE), explainer)
    first, second = (explainer(model, inputs, torch.full((4,), target)) for target in (0, 1))
    assert torch.allclose(first, second) != getattr(explainer, "class_dependent", True)


@every_explainer
def test_everything_borrowed_is_given_back(
    path: Path, build: Any, make_conv_net: Any, make_images: Any, assert_untouched: Any
) -> None:
    explainer, inputs, targets = build(path), make_images(4, SHAPE), labels(4, 3)
    model = fitting(make_conv_net(3, SHAPE), explainer)
    with assert_untouched(model, inputs, targets):
        explainer(model, inputs, targets, rng=SampleKeys(1, torch.arange(4)))


@every_explainer
@pytest.mark.parametrize("at", [1, 2])
def test_everything_borrowed_is_given_back_after_an_exception(
    path: Path, *, at: int, build: Any, make_conv_net: Any, make_images: Any, assert_untouched: Any, boom: type[Exception]
) -> None:
    explainer, inputs, targets = build(path), make_images(4, SHAPE), labels(4, 3)
    model = fitting(make_conv_net(3, SHAPE), explainer)
    model[-1].at = at
    with assert_untouched(model, inputs, targets), suppress(boom):
        explainer(model, inputs, targets)


@every_explainer
def test_the_result_depends_neither_on_the_size_nor_on_the_order_of_the_batch(
    path: Path, *, build: Any, make_conv_net: Any, make_images: Any
) -> None:
    explainer = build(path)
    model = fitting(make_conv_net(3, SHAPE), explainer)
    inputs, targets, keys = make_images(6, SHAPE), labels(6, 3), SampleKeys(3, torch.arange(40, 46))
    together = explainer(model, inputs, targets, rng=keys)
    for rows in torch.tensor([4, 1, 5, 0, 2, 3]).split([1, 3, 2]):
        part = explainer(model, inputs[rows], targets[rows], rng=keys.take(rows))
        assert torch.allclose(part, together[rows], atol=1e-6)


@every_explainer
def test_a_frozen_model_and_a_caller_without_gradients_make_no_difference(
    path: Path, *, build: Any, make_conv_net: Any, make_images: Any
) -> None:
    explainer, inputs, targets = build(path), make_images(4, SHAPE), labels(4, 3)
    model = fitting(make_conv_net(3, SHAPE), explainer)
    expected = explainer(model, inputs, targets)
    model.requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(explainer(model, inputs, targets), expected)


@every_explainer
def test_a_model_in_half_precision_gives_float32_maps(path: Path, build: Any, make_conv_net: Any, make_images: Any) -> None:
    explainer = build(path)
    model = fitting(make_conv_net(3, SHAPE), explainer)
    with torch.autocast("cpu", torch.bfloat16):
        maps = explainer(model, make_images(4, SHAPE), labels(4, 3))
    assert maps.dtype == torch.float32
    assert maps.isfinite().all()


@every_explainer
def test_a_constant_model_gives_finite_maps(path: Path, build: Any, make_conv_net: Any, make_images: Any) -> None:
    explainer = build(path)
    model = fitting(make_conv_net(3, SHAPE), explainer)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    assert explainer(model, make_images(4, SHAPE), labels(4, 3)).isfinite().all()


@every_explainer
def test_one_class_for_several_examples_is_refused(path: Path, build: Any, make_conv_net: Any, make_images: Any) -> None:
    with pytest.raises(ValueError, match="one class per example"):
        build(path)(make_conv_net(3, SHAPE), make_images(4, SHAPE), torch.tensor([1]))
