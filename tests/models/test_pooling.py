"""Pooling by windows against PyTorch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcli.models.pooling import AdaptiveMaxPool2d, by_windows


@pytest.mark.parametrize(("height", "width", "side"), [(7, 7, 4), (7, 5, 2), (4, 4, 2), (3, 8, 1), (2, 2, 3)])
def test_values_and_gradients_are_those_of_pytorch(height, width, side):
    torch.manual_seed(0)
    ours = torch.randn(2, 3, height, width, dtype=torch.float64, requires_grad=True)
    theirs = ours.detach().clone().requires_grad_()
    weights = torch.randn(2, 3, side, side, dtype=torch.float64)
    pooled, expected = by_windows(ours, side), nn.AdaptiveMaxPool2d(side)(theirs)
    assert torch.equal(pooled, expected)
    (pooled * weights).sum().backward()
    (expected * weights).sum().backward()
    assert torch.allclose(ours.grad, theirs.grad, rtol=1e-12)


def test_on_the_cpu_it_is_pytorchs_own():
    inputs = torch.rand(2, 3, 7, 7)
    assert torch.equal(AdaptiveMaxPool2d(4)(inputs), nn.AdaptiveMaxPool2d(4)(inputs))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the order of sums is open on a GPU alone")
def test_on_a_gpu_its_gradient_repeats():
    inputs = torch.rand(64, 64, 7, 7, device="cuda", requires_grad=True)
    weights = torch.randn(64, 64, 4, 4, device="cuda")
    grads = [torch.autograd.grad((AdaptiveMaxPool2d(4)(inputs) * weights).sum(), inputs)[0] for _ in range(10)]
    assert all(torch.equal(grads[0], grad) for grad in grads)
