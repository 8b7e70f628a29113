"""Lanczos against numpy, and a network's Hessian against the closed form and torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.contracts import Batch
from dlcli.engine.curvature import as_direction, extreme_of, hessian_product, lanczos


def symmetric(size: int, seed: int = 0) -> torch.Tensor:
    matrix = torch.randn(size, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return matrix + matrix.T


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_as_many_steps_as_dimensions_give_numpys_extremes(size):
    matrix = symmetric(size)
    low, high = (extreme_of(lambda v: matrix @ v, vector) for vector in lanczos(lambda v: matrix @ v, size, steps=99, seed=0))
    expected = np.linalg.eigvalsh(matrix.numpy())
    assert (low.value, high.value) == pytest.approx((expected[0], expected[-1]), abs=1e-9)
    assert max(low.residual, high.residual) < 1e-7


def test_an_eigenvalue_lies_within_the_residual_and_the_ends_are_not_beyond():
    matrix = symmetric(200)
    expected = torch.linalg.eigvalsh(matrix)
    for vector in lanczos(lambda v: matrix @ v, 200, steps=15, seed=0):
        found = extreme_of(lambda v: matrix @ v, vector)
        assert float((expected - found.value).abs().min()) <= found.residual
        assert expected[0] <= found.value <= expected[-1]


def test_a_matrix_of_zeros_ends_at_once():
    calls = []

    def product(vector):
        calls.append(1)
        return torch.zeros_like(vector)

    low, high = lanczos(product, 10, steps=10, seed=0)
    assert len(calls) == 1
    assert float(low.norm()) == float(high.norm()) == pytest.approx(1.0)


def test_the_hessian_of_logistic_regression_with_two_weights_is_the_closed_form():
    model = nn.Linear(2, 1, bias=False).double()
    inputs = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [0.3, -2.0]], dtype=torch.float64)
    p = torch.sigmoid(model(inputs)[:, 0]).detach()
    expected = (inputs.T * (p * (1 - p))) @ inputs / 3
    batch = Batch(inputs, torch.tensor([1, 0, 1]), torch.arange(3))
    product, size = hessian_product(model, [batch], dtype=torch.float64)
    found = torch.stack([product(torch.eye(size, dtype=torch.float64)[row]) for row in range(size)])
    assert torch.allclose(found, expected, atol=1e-12)
    low = extreme_of(product, lanczos(product, size, steps=2, seed=0)[0])
    assert low.value == pytest.approx(float(np.linalg.eigvalsh(expected.numpy())[0]), abs=1e-10)
    assert low.value >= 0


def test_a_networks_product_is_the_column_of_torchs_hessian_and_batches_add_up():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double().train()
    inputs, targets = torch.randn(9, 3, dtype=torch.float64), torch.arange(9) % 3

    def loss(vector):
        named = as_direction(vector, model)
        return nn.functional.cross_entropy(torch.func.functional_call(model, named, (inputs,)), targets)

    start = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    expected = torch.autograd.functional.hessian(loss, start)
    parts = [Batch(inputs[rows], targets[rows], torch.arange(9)[rows]) for rows in (slice(0, 5), slice(5, 9))]
    product, size = hessian_product(model, parts, dtype=torch.float64)
    vector = torch.randn(size, dtype=torch.float64)
    assert torch.allclose(product(vector), expected @ vector, atol=1e-10)
    assert model.training and all(parameter.grad is None for parameter in model.parameters())


def test_a_saddle_has_a_negative_eigenvalue():
    # Two linear layers of one unit at zero weights: the loss is that of u·w, a saddle with eigenvalues ± the slope.
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    nn.init.zeros_(model[0].weight)
    nn.init.zeros_(model[1].weight)
    batch = Batch(torch.ones(1, 1, dtype=torch.float64), torch.tensor([1]), torch.arange(1))
    product, size = hessian_product(model, [batch], dtype=torch.float64)
    low, high = (extreme_of(product, vector) for vector in lanczos(product, size, steps=2, seed=0))
    assert (low.value, high.value) == pytest.approx((-0.5, 0.5), abs=1e-12)


def test_a_vector_becomes_the_tensors_of_a_model_in_their_order():
    model = nn.Linear(2, 3)
    found = as_direction(torch.arange(9.0), model)
    assert found["weight"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found["bias"].tolist() == [6, 7, 8]
