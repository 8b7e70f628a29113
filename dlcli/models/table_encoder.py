"""The first layer of networks that read tables: numbers pass, categories become vectors that are learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from dlcli.contracts import Column

Embedding = Literal["embedding", "one_hot"]

_WIDEST = 16


class TableEncoder(nn.Module):
    """Standardised numbers and category codes (N, D) in, features (N, E) out: all numbers first, then each category column's.

    Code 0, a value that is unknown or missing, has a vector of its own: zeros at the start, learned where train has such
    rows; with ``one_hot`` it is always zeros. Codes beyond a column's categories count as unknown too.

    Vectors start uniform in ± 1 / sqrt(width), as in the feature tokenizer of Gorishniy et al. 2021, "Revisiting deep learning
    models for tabular data", and lie in one matrix (S, 1), so that one lookup serves all columns; weight decay pulls them to
    zero as it does other matrices.

    Args:
        columns: D, as in the data's spec.
        embedding: embedding, a learned vector for each category; or one_hot, which makes a network without hidden layers a
            logistic regression.
        dropout: probability of zeroing a category's feature in training, in [0, 1).

    Attributes:
        column_slices: for each of the D columns where its features stand among the E.
        features: E.

    Raises:
        ValueError: a value is out of its range.
    """

    numbers: Tensor
    sources: Tensor
    highest: Tensor
    starts: Tensor
    strides: Tensor

    def __init__(self, columns: Sequence[Column], *, embedding: Embedding = "embedding", dropout: float = 0.0) -> None:
        super().__init__()
        if embedding not in {"embedding", "one_hot"}:
            raise ValueError(f"embedding must be embedding or one_hot, got '{embedding}'")
        if not 0 <= dropout < 1:
            raise ValueError(f"embedding_dropout must be in [0, 1), got {dropout}")
        numbers = [place for place, column in enumerate(columns) if not column.categories]
        categories = [place for place, column in enumerate(columns) if column.categories]
        counts = {place: len(columns[place].categories) for place in categories}
        widths = {place: counts[place] if embedding == "one_hot" else embedding_width(counts[place]) for place in categories}
        self.column_slices = _slices(len(columns), numbers, widths)
        self.features = len(numbers) + sum(widths.values())
        self.is_one_hot = embedding == "one_hot"
        self._buffer("numbers", numbers)
        # For each of the category features: its column, and that column's number of categories.
        self._buffer("sources", [place for place in categories for _ in range(widths[place])])
        self._buffer("highest", [counts[place] for place in categories for _ in range(widths[place])])
        if self.is_one_hot:
            self._buffer("starts", [feature + 1 for place in categories for feature in range(widths[place])])
        else:
            self._make_vectors(counts, widths)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns features (N, E) of standardised inputs (N, D), codes among them, with nothing missing."""
        if not len(self.sources):
            return inputs
        codes = inputs.detach()[:, self.sources].round().long()
        if self.is_one_hot:
            features = (codes == self.starts).to(inputs.dtype)
        else:
            known = torch.where((codes >= 0) & (codes <= self.highest), codes, 0)
            features = self._look_up(self.starts + known * self.strides)
        return torch.cat([inputs[:, self.numbers], self.dropout(features)], dim=1)

    def _look_up(self, places: Tensor) -> Tensor:
        """The values at ``places`` (N, F) of the matrix of vectors.

        Both ways add up the gradient in a fixed order, so that a run can be repeated bit for bit: index_select on the CPU, where
        it is the faster one, embedding elsewhere. Plain indexing does not on two threads.
        """
        if places.device.type == "cpu":
            return self.weight.flatten().index_select(0, places.flatten()).view(places.shape)
        return nn.functional.embedding(places, self.weight).squeeze(2)

    def _make_vectors(self, counts: dict[int, int], widths: dict[int, int]) -> None:
        """The matrix of all vectors, column after column and code after code, and where each feature of code 0 stands in it."""
        starts: list[int] = []
        blocks = [torch.zeros(0)]
        for place, width in widths.items():
            first = sum(map(len, blocks))
            starts += range(first, first + width)
            known = (torch.rand(counts[place] * width) * 2 - 1) / width**0.5
            blocks += [torch.zeros(width), known]
        self.weight = nn.Parameter(torch.cat(blocks)[:, None])
        self._buffer("starts", starts)
        self._buffer("strides", [width for width in widths.values() for _ in range(width)])

    def _buffer(self, name: str, values: Sequence[int]) -> None:
        self.register_buffer(name, torch.tensor(values, dtype=torch.long), persistent=False)


def embedding_width(categories: int) -> int:
    """Returns how long a vector is for a column with so many categories: 1.6 · k^0.56, at most 16.

    Source: fastai's rule (Howard and Gugger 2020, "fastai: a layered API for deep learning"), with 16 in place of 600.
    """
    width: float = 1.6 * categories**0.56
    return min(_WIDEST, max(1, round(width)))


def _slices(columns: int, numbers: Sequence[int], widths: dict[int, int]) -> tuple[slice, ...]:
    places = {place: slice(position, position + 1) for position, place in enumerate(numbers)}
    start = len(numbers)
    for place, width in widths.items():
        places[place] = slice(start, start + width)
        start += width
    return tuple(places[place] for place in range(columns))
