"""Principal components against scikit-learn and a plane that is known; t-SNE repeats by its seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcli.metrics.projection import principal_components, tsne


def points(count: int, size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_components_are_scikit_learns_up_to_sign():
    decomposition = pytest.importorskip("sklearn.decomposition")
    values = points(40, 6) * torch.tensor([5.0, 3.0, 2.0, 1.0, 0.5, 0.1])
    own, theirs = principal_components(values), decomposition.PCA(2).fit(values.double().numpy())
    assert np.allclose(np.abs(own.axes.numpy()), np.abs(theirs.components_), atol=1e-10)
    assert np.allclose(np.abs(own.points.numpy()), np.abs(theirs.transform(values.double().numpy())), atol=1e-10)
    assert np.allclose(own.shares.numpy(), theirs.explained_variance_ratio_, atol=1e-12)


def test_points_of_a_plane_are_their_own_components():
    along = torch.tensor([[-2.0, 0.0], [2.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    found = principal_components(along)
    assert torch.allclose(found.points, along.double())
    assert found.shares.tolist() == pytest.approx([0.8, 0.2])


def test_the_sign_is_fixed_by_the_largest_entry():
    values = points(20, 5)
    first, mirrored = principal_components(values), principal_components(-values)
    assert torch.allclose(first.axes, mirrored.axes)
    assert (first.axes.gather(1, first.axes.abs().argmax(dim=1, keepdim=True)) > 0).all()


def test_what_does_not_vary_has_coordinates_of_zero():
    found = principal_components(torch.ones(5, 1))
    assert found.points.tolist() == [[0.0, 0.0]] * 5
    assert found.shares.tolist() == [0.0, 0.0]


def test_tsne_keeps_clusters_together_and_repeats_by_its_seed():
    values = points(60, 5) + 50 * (torch.arange(60) % 2)[:, None]
    before = np.random.get_state()[1].copy()
    first = tsne(values, perplexity=10, seed=0)
    assert torch.equal(first, tsne(values, perplexity=10, seed=0))
    assert np.array_equal(np.random.get_state()[1], before)
    centers = [first[torch.arange(60) % 2 == side].mean(dim=0) for side in (0, 1)]
    spread = max(float((first[torch.arange(60) % 2 == side] - centers[side]).norm(dim=1).max()) for side in (0, 1))
    assert float((centers[0] - centers[1]).norm()) > spread


def test_a_high_perplexity_is_lowered_and_too_few_points_are_refused():
    assert tsne(points(8, 3), perplexity=500, seed=0).shape == (8, 2)
    with pytest.raises(ValueError, match="4 points or more"):
        tsne(points(3, 3), perplexity=5, seed=0)
