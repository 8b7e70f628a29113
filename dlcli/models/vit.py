"""A vision transformer for small images."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.contracts import DataSpec
from dlcli.models.checks import check_at_least, check_dropout, check_image
from dlcli.models.heads import output_count

_SMALLEST_IMAGE = 8


class VisionTransformer(nn.Module):
    """Patches as words: embedding, learned positions, pre-norm transformer blocks, norm, linear head.

    Dosovitskiy et al. 2021, section 3.1, equations 1 to 4. Weights start as in DeiT (Touvron et al. 2021), normal with
    standard deviation 0.02, and biases at zero. Positions are learned for the size that the network is built for. The
    defaults have 5,362,378 parameters and 359 million multiply-adds for ten classes of 32-pixel colour images. The mean over
    the patches (Beyer, Zhai and Kolesnikov 2022) needs no class token and gives Grad-CAM a map of what the head sees.

    Args:
        spec: the data as the network sees it, images of at least 8 x 8 pixels; given at build time.
        outputs: logits; None is one per class, 1 is one binary logit for two classes.
        patch_size: side of a patch in pixels; it must divide height and width.
        width: length of a patch's vector; a multiple of ``heads``.
        depth: transformer blocks.
        heads: attention heads in each block.
        mlp_ratio: hidden units of each block's MLP, in multiples of ``width``.
        pool: token: the head sees the class token; mean: it sees the mean over the patches.
        dropout: probability of zeroing a unit of the embeddings and of what each block adds in training, in [0, 1).

    Raises:
        ValueError: the patches do not fit the images, or a value is out of its range.
    """

    def __init__(
        self,
        *,
        spec: DataSpec,
        outputs: int | None = None,
        patch_size: int = 4,
        width: int = 192,
        depth: int = 12,
        heads: int = 3,
        mlp_ratio: int = 4,
        pool: Literal["token", "mean"] = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels, rows, columns = _grid(spec.shape, patch_size)
        for name, value in (("width", width), ("depth", depth), ("heads", heads), ("mlp_ratio", mlp_ratio)):
            check_at_least(name, value, 1)
        if width % heads:
            raise ValueError(f"width must be a multiple of heads ({heads}), got {width}")
        if pool not in {"token", "mean"}:
            raise ValueError(f"pool must be token or mean, got '{pool}'")
        check_dropout(dropout)
        self.patches = nn.Conv2d(channels, width, patch_size, patch_size)
        self.token = nn.Parameter(torch.zeros(1, 1, width)) if pool == "token" else None
        self.positions = nn.Parameter(torch.zeros(1, rows * columns + (pool == "token"), width))
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads, mlp_ratio * width, dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.maps = PatchMaps(rows, columns)
        self.head = nn.Linear(width, output_count(spec, outputs))
        self._initialise()

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits (N, K) of standardised images (N, C, H, W)."""
        words = self.patches(inputs).flatten(2).transpose(1, 2)
        if self.token is None:
            words = self.norm(self.blocks(self.dropout(words + self.positions)))
            seen = self.maps(words).mean(dim=(2, 3))
        else:
            words = torch.cat([self.token.expand(len(words), -1, -1), words], dim=1)
            words = self.dropout(words + self.positions)
            *early, last = self.blocks
            for block in early:
                words = block(words)
            # After the last block the patches no longer matter to the token, so their last map is here.
            patches = self.maps(words[:, 1:]).flatten(2).transpose(1, 2)
            seen = self.norm(last(torch.cat([words[:, :1], patches], dim=1))[:, 0])
        logits: Tensor = self.head(seen)
        return logits

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.positions, std=0.02)
        if self.token is not None:
            nn.init.trunc_normal_(self.token, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=0.02)
                assert module.bias is not None
                nn.init.zeros_(module.bias)


class PatchMaps(nn.Module):
    """Patch vectors (N, rows * columns, D) seen as maps (N, D, rows, columns), where Grad-CAM finds them.

    Args:
        rows, columns: of patches.
    """

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.rows = rows
        self.columns = columns

    def forward(self, words: Tensor) -> Tensor:
        """Returns maps (N, D, rows, columns)."""
        return words.transpose(1, 2).reshape(len(words), -1, self.rows, self.columns)


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)) (Dosovitskiy et al. 2021, equations 2 and 3).

    Args:
        width: length D of a word's vector.
        heads: of the attention.
        hidden: units of the MLP, with GELU.
        dropout: on what is added, and on the MLP's hidden units.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = SelfAttention(width, heads)
        self.dropout = nn.Dropout(dropout)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout)
        )

    def forward(self, words: Tensor) -> Tensor:
        """Returns words of the same shape (N, T, D)."""
        words = words + self.dropout(self.attention(self.norm1(words)))
        added: Tensor = self.mlp(self.norm2(words))
        return words + added


class SelfAttention(nn.Module):
    """softmax(q kᵀ / √d) v in each head, then one linear map of the heads side by side (Vaswani et al. 2017, section 3.2).

    Args:
        width: length D of a word's vector, a multiple of ``heads``; d = D / heads.
        heads: of the attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, words: Tensor) -> Tensor:
        """Returns words of the same shape (N, T, D)."""
        together: Tensor = self.queries_keys_values(words)
        queries, keys, values = together.reshape(*words.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(queries, keys, values)
        mixed: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return mixed


def _grid(shape: tuple[int, ...], patch_size: int) -> tuple[int, int, int]:
    """Returns channels, rows and columns of patches. Raises ValueError where they do not fill the image."""
    channels, height, width = check_image("VisionTransformer", shape, smallest=_SMALLEST_IMAGE)
    check_at_least("patch_size", patch_size, 1)
    if height % patch_size or width % patch_size:
        raise ValueError(f"patch_size must divide the {height} x {width} pixels of the images, got {patch_size}")
    return channels, height // patch_size, width // patch_size
