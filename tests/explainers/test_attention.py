"""Attention weights, found again where they are not kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.errors import UsageError
from dlcli.explainers.attention import attention_weights
from dlcli.models.vit import VisionTransformer

IMAGES = torch.rand(2, 1, 8, 12, generator=torch.Generator().manual_seed(0))
SPEC = DataSpec(name="x", shape=(1, 8, 12), classes=("a", "b", "c"), mean=(0.0,), std=(1.0,), epsilon={})


class Multi(nn.Module):
    """One layer of torch's own attention, which is asked for no weights."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.patches, self.attention = nn.Conv2d(1, 4, 4, 4), nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        words = self.patches(inputs).flatten(2).transpose(1, 2)
        seen: Tensor = self.attention(words, words, words, need_weights=False)[0]
        return seen.mean(dim=1)


def test_torchs_attention_tells_its_weights_though_it_was_not_asked() -> None:
    model = Multi().eval()
    words = model.patches(IMAGES).flatten(2).transpose(1, 2)
    (found,), grid = attention_weights(model, IMAGES)
    assert grid == (2, 3)
    assert torch.allclose(found, model.attention(words, words, words)[1], atol=1e-6)


def test_of_fused_attention_the_weights_give_the_layers_answer_again() -> None:
    torch.manual_seed(0)
    model = VisionTransformer(spec=SPEC, width=8, heads=1, depth=2).eval()
    for block in model.blocks:
        nn.init.normal_(block.attention.queries_keys_values.weight)
    given: list[tuple[Tensor, Tensor]] = []
    layer = model.blocks[0].attention
    layer.register_forward_hook(lambda module, arguments, output: given.append((arguments[0], output)))
    found, grid = attention_weights(model, IMAGES)
    words, answer = given[0]
    values = layer.queries_keys_values(words)[..., 16:]
    assert torch.allclose(layer.out(found[0] @ values), answer, atol=1e-5)
    assert grid == (2, 3)
    assert len(found) == 2
    assert torch.allclose(found[1].sum(dim=2), torch.ones(2, 6))


def test_without_attention_it_is_refused_and_no_hook_stays() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 4, 4), nn.Flatten(), nn.Linear(24, 3))
    with pytest.raises(UsageError, match="needs attention over all patches") as refused:
        attention_weights(model, IMAGES)
    assert refused.value.hint == "dl explain gradcam"
    assert not any(module._forward_hooks for module in model.modules())
