"""A classifier under noise: closed forms of an affine one, and the same noise for the same example."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.classifier import ask
from dlcli.errors import ComputeError
from dlcli.metrics.smoothing import certified_radii
from dlcli.models.smoothed import Smoothed, votes

SIGMA = 0.25


def affine(classes: int = 2) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, classes))
    # The boundary goes through the middle of the box, so that images lie about it.
    model[1].bias.data = -model[1].weight.data.sum(dim=1) / 2
    return model


def images(count: int = 12) -> Tensor:
    return torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(1))


def signed_distances(model: nn.Sequential, inputs: Tensor) -> Tensor:
    """Distances to the boundary of two classes, above 0 on the side of class 1."""
    layer = model[1]
    way = layer.weight[1] - layer.weight[0]
    return ((inputs.flatten(1) @ way + layer.bias[1] - layer.bias[0]) / way.norm()).detach()


def test_a_class_wins_as_often_as_the_normal_distribution_says():
    model, inputs, draws = affine(), images(), 4000
    counts = votes(model, inputs, torch.arange(12), sigma=SIGMA, draws=draws, seed=0, purpose="x")
    share = torch.special.ndtr(signed_distances(model, inputs).double() / SIGMA)
    assert counts.sum(dim=1).tolist() == [draws] * 12
    assert ((counts[:, 1] / draws - share).abs() < 5 * (share * (1 - share) / draws).sqrt() + 1e-9).all()


def test_an_affine_classifier_is_certified_up_to_its_boundary_and_not_beyond():
    # The smoothed classifier has the same boundary, so the true radius is the distance: Cohen et al. 2019, proposition 2.
    model, inputs, draws = affine(), images(), 4000
    distances = signed_distances(model, inputs)
    counts = votes(model, inputs, torch.arange(12), sigma=SIGMA, draws=draws, seed=0, purpose="x")
    own = counts.gather(1, (distances > 0).long()[:, None])[:, 0]
    radii = certified_radii(own, draws, sigma=SIGMA, alpha=0.001)
    near = distances.abs() < 2 * SIGMA
    assert (radii <= distances.abs()).all()
    assert near.sum() >= 6
    # 4000 votes place a share within 5 standard errors, which is a ninth of sigma where the density is flattest here.
    assert (radii > distances.abs() - 0.5 * SIGMA)[near & (distances.abs() > 0.3 * SIGMA)].all()


def test_votes_do_not_depend_on_batches_or_company():
    model, inputs = affine(3), images()
    options = {"sigma": SIGMA, "draws": 30, "seed": 1, "purpose": "x"}
    all_of_them = votes(model, inputs, torch.arange(12), **options)
    assert torch.equal(votes(model, inputs, torch.arange(12), batch_size=24, **options), all_of_them)
    assert torch.equal(votes(model, inputs[5:7], torch.tensor([5, 6]), **options), all_of_them[5:7])
    assert not torch.equal(votes(model, inputs, torch.arange(12), **{**options, "purpose": "y"}), all_of_them)


def test_the_mean_of_probabilities_is_what_is_climbed():
    model, inputs, index = affine(3), images(), torch.arange(12)
    smoothed = Smoothed(model, sigma=SIGMA, draws=500)
    means = ask(smoothed, inputs, index).softmax(dim=1)
    torch.manual_seed(0)
    seen = torch.stack([model(inputs + SIGMA * torch.randn_like(inputs)).softmax(dim=1) for _ in range(500)]).mean(dim=0)
    assert torch.allclose(means, seen, atol=0.03)
    assert torch.equal(ask(smoothed, inputs, index), ask(smoothed, inputs, index))


def test_without_noise_it_is_the_classifier():
    model, inputs = affine(3), images()
    outputs = ask(Smoothed(model, sigma=0.0, draws=2), inputs, torch.arange(12))
    assert torch.allclose(outputs.softmax(dim=1), model(inputs).softmax(dim=1), atol=1e-6)


def test_one_binary_logit_votes_for_two_classes():
    counts = votes(affine(1), images(), torch.arange(12), sigma=SIGMA, draws=10, seed=0, purpose="x")
    assert counts.shape == (12, 2)


def test_outputs_that_are_no_numbers_give_no_vote():
    model = affine(3)
    model[1].bias.data[1] = torch.nan
    with pytest.raises(ComputeError, match="not numbers"):
        votes(model, images(), torch.arange(12), sigma=SIGMA, draws=10, seed=0, purpose="x")


@pytest.mark.parametrize("wrong", [{"sigma": -1.0}, {"draws": 0}])
def test_what_is_no_noise_is_refused(wrong):
    with pytest.raises(ValueError, match="sigma >= 0 and draws >= 1"):
        Smoothed(affine(), **{"sigma": 0.1, "draws": 1, **wrong})
