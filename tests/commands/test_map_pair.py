"""Pairs of maps whose likeness is known."""

from __future__ import annotations

import pytest
import torch

from dlcli.commands.map_pair import MapPair, _sparser, pairs_csv, words_of
from dlcli.contracts import Metric
from dlcli.engine.attribute import ExplainReport


def report(maps: torch.Tensor, predicted: list[int] | None = None) -> ExplainReport:
    count = len(maps)
    targets = torch.zeros(count, dtype=torch.int64)
    found = targets if predicted is None else torch.tensor(predicted)
    return ExplainReport(torch.zeros(count, 1, *maps.shape[1:]), maps, targets, found, targets, torch.ones(count), targets)


def test_sparser_maps_are_told_from_less_sparse_ones():
    for low, high, word in ((0.1, 0.2, "became sparser"), (-0.2, -0.1, "became less sparse"), (-0.1, 0.1, "as sparse as before")):
        change = Metric((low + high) / 2, low, high, 9, "t")
        found = {"explain/sparsity_change": change, "explain/sparsity": Metric(0.5), "explain/sparsity_against": Metric(0.4)}
        assert word in _sparser(found)


def test_empty_maps_are_like_nothing_and_have_no_sparsity():
    full = torch.rand(4, 3, 3, generator=torch.Generator().manual_seed(0))
    full[0] = 0
    pair = MapPair(report(full), report(full, [0, 0, 1, 1]), ("a", "b"), comparable=True)
    assert pair.alike.tolist() == pytest.approx([0, 1, 1, 1])
    assert pair.metrics["explain/sparsity"].n == 3
    assert pair.metrics["explain/accuracy_change"].value == -0.5
    assert "explain/ssim" not in pair.metrics
    assert "1 of 4 maps of a are all zero: alike counts as 0 there" in words_of(pair)
    rows = pairs_csv(pair, ("x", "y"), ("x", "y")).decode().splitlines()
    assert rows[1] == "0,x,x,x,0.000000,,,"
    assert rows[3].startswith("0,x,x,y,1.000000,,0.")


def test_large_maps_have_a_structural_similarity_of_their_sizes() -> None:
    maps = torch.randn(3, 12, 12, generator=torch.Generator().manual_seed(0))
    assert MapPair(report(maps), report(-maps), ("a", "b"), comparable=True).metrics["explain/ssim"].value == pytest.approx(1)
