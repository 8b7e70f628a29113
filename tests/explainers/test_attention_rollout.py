"""Attention rollout as a product of matrices."""

from __future__ import annotations

import torch
from torch import nn
from torchvision.models import VisionTransformer as Published

from dlcli.contracts import DataSpec
from dlcli.explainers.attention import attention_weights
from dlcli.explainers.attention_rollout import AttentionRollout
from dlcli.models.vit import VisionTransformer

IMAGES = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1])
SPEC = DataSpec(name="x", shape=(3, 8, 12), classes=("a", "b", "c"), mean=(0.0,) * 3, std=(1.0,) * 3, epsilon={})


def rolled(layers: list[torch.Tensor], row: int) -> torch.Tensor:
    product = torch.eye(layers[0].shape[1])
    for weights in layers:
        product = (weights[row] + torch.eye(len(product))) / 2 @ product
    return product


def test_without_a_class_token_the_map_is_the_mean_over_rows() -> None:
    torch.manual_seed(0)
    model = VisionTransformer(spec=SPEC, width=8, heads=2, depth=3).eval()
    for block in model.blocks:
        nn.init.normal_(block.attention.queries_keys_values.weight)
    layers, _ = attention_weights(model, IMAGES)
    found = AttentionRollout()(model, IMAGES, TARGETS)
    for row in range(2):
        expected = rolled(layers, row).mean(dim=0).reshape(1, 1, 2, 3)
        expected = nn.functional.interpolate(expected, size=(8, 12), mode="bilinear", align_corners=False)[0, 0]
        assert torch.allclose(found[row], expected, atol=1e-6)
    assert found.std() > 1e-3


def test_with_a_class_token_the_map_is_its_row_without_itself() -> None:
    torch.manual_seed(0)
    model = Published(8, 4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=3).eval()
    images = IMAGES[..., :8]
    layers, grid = attention_weights(model, images)
    found = AttentionRollout()(model, images, TARGETS)
    assert grid == (2, 2)
    expected = rolled(layers, 1)[0, 1:].reshape(1, 1, 2, 2)
    expected = nn.functional.interpolate(expected, size=(8, 8), mode="bilinear", align_corners=False)[0, 0]
    assert torch.allclose(found[1], expected, atol=1e-6)


def test_no_class_is_asked_for() -> None:
    assert not AttentionRollout.class_dependent
