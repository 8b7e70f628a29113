"""Nearest neighbours against scikit-learn, and in clusters that cannot be missed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcli.metrics.neighbours import leave_one_out, nearest, trustworthiness


def points(count: int, size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_the_nearest_others_of_points_on_a_line_are_known():
    line = torch.tensor([[0.0], [1.0], [3.0], [3.5]])
    assert nearest(line, 2).tolist() == [[1, 2], [0, 2], [3, 1], [2, 1]]


def test_separable_clusters_are_never_missed_and_shuffled_labels_are_chance():
    targets = torch.arange(90) % 3
    clusters = points(90, 4) + 100 * torch.nn.functional.one_hot(targets, 4)
    assert torch.equal(leave_one_out(clusters, targets, neighbours=5), targets)
    shuffled = targets[torch.randperm(90, generator=torch.Generator().manual_seed(1))]
    assert (leave_one_out(clusters, shuffled, neighbours=5) == shuffled).float().mean() < 0.6


def test_a_point_does_not_vote_for_itself_and_a_tie_goes_to_the_nearest():
    line = torch.tensor([[0.0], [1.0], [-1.5]])
    assert leave_one_out(line, torch.tensor([0, 1, 2]), neighbours=2)[0] == 1


def test_the_vote_is_that_of_scikit_learn():
    neighbors = pytest.importorskip("sklearn.neighbors")
    values, targets = points(60, 5), torch.arange(60) % 4
    own = leave_one_out(values, targets, neighbours=1)
    for row in range(60):
        rest = np.delete(np.arange(60), row)
        model = neighbors.KNeighborsClassifier(1).fit(values[rest].numpy(), targets[rest].numpy())
        assert own[row] == model.predict(values[row : row + 1].numpy())[0]


@pytest.mark.parametrize("neighbours", [1, 5, 12])
def test_trustworthiness_is_that_of_scikit_learn(neighbours):
    manifold = pytest.importorskip("sklearn.manifold")
    original, flat = points(50, 8), points(50, 2, seed=1)
    expected = manifold.trustworthiness(original.numpy(), flat.numpy(), n_neighbors=neighbours)
    assert trustworthiness(original, flat, neighbours=neighbours) == pytest.approx(expected, abs=1e-12)


def test_a_map_that_keeps_all_neighbours_is_trusted_wholly():
    original = points(30, 2)
    assert trustworthiness(original, 3 * original + 1, neighbours=5) == 1.0


def test_more_neighbours_than_there_are_is_refused():
    with pytest.raises(ValueError, match="1 … 2 neighbours"):
        nearest(points(3, 2), 3)
    with pytest.raises(ValueError, match="below half"):
        trustworthiness(points(10, 2), points(10, 2), neighbours=5)
