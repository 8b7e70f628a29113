"""Points of many dimensions on paper: principal components, and t-SNE."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_FEWEST = 4


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components.

    Args:
        points: coordinates along them, float64 (N, k).
        axes: unit vectors, float64 (k, D); the largest entry of each is positive, which fixes the sign.
        center: the mean, float64 (D,).
        shares: of the variance, float64 (k,), falling; 0 where nothing varies.
    """

    points: Tensor
    axes: Tensor
    center: Tensor
    shares: Tensor


def principal_components(points: Tensor, *, count: int = 2) -> Components:
    """Returns the directions of greatest variance of ``points`` (N, D), by a singular value decomposition in float64.

    Where there are fewer directions than ``count`` the coordinates along the others are 0.
    """
    values = points.detach().cpu().double()
    center = values.mean(dim=0)
    _, sizes, axes = torch.linalg.svd(values - center, full_matrices=False)
    total = sizes.square().sum()
    missing = count - len(axes)
    if missing > 0:
        axes = torch.cat([axes, axes.new_zeros(missing, axes.shape[1])])
        sizes = torch.cat([sizes, sizes.new_zeros(missing)])
    axes, sizes = axes[:count], sizes[:count]
    signs = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()
    axes = axes * torch.where(signs == 0, 1.0, signs)
    shares = sizes.square() / total if total > 0 else torch.zeros_like(sizes)
    return Components((values - center) @ axes.T, axes, center, shares)


def tsne(points: Tensor, *, perplexity: float, seed: int) -> Tensor:
    """Returns a map by t-distributed stochastic neighbour embedding (van der Maaten and Hinton 2008), float64 (N, 2).

    Scikit-learn's, started from the principal components. Neighbourhoods mean something, distances and sizes of clusters do not.

    Args:
        perplexity: lowered to a third of N where it is higher.

    Raises:
        ValueError: fewer than 4 points.
    """
    if len(points) < _FEWEST:
        raise ValueError(f"t-SNE needs {_FEWEST} points or more, got {len(points)}")
    from sklearn.manifold import TSNE

    fitting = min(perplexity, (len(points) - 1) / 3)
    found = TSNE(n_components=2, perplexity=fitting, init="pca", random_state=seed, learning_rate="auto")
    return torch.from_numpy(found.fit_transform(points.detach().cpu().float().numpy())).double()
