"""Eigen-CAM against a singular value decomposition."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcli.explainers.eigencam import EigenCAM


def test_it_is_the_projection_on_the_first_right_singular_vector_turned_to_its_larger_side() -> None:
    maps = torch.rand(6, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    found = EigenCAM().combine(maps, torch.zeros_like(maps))
    for one, cam in zip(maps, found, strict=True):
        rows = one.flatten(1).T - one.flatten(1).mean(dim=1)
        expected: Tensor = (rows @ torch.linalg.svd(rows).Vh[0]).reshape(3, 4)
        if expected.max() < -expected.min():
            expected = -expected
        assert torch.allclose(cam, expected.relu(), atol=1e-5)


def test_a_constant_layer_gives_zeros() -> None:
    assert not EigenCAM().combine(torch.ones(2, 3, 4, 4), torch.ones(2, 3, 4, 4)).any()


def test_no_class_is_asked_for() -> None:
    maps = torch.rand(2, 3, 4, 4)
    assert torch.equal(EigenCAM().combine(maps, torch.zeros_like(maps)), EigenCAM().combine(maps, torch.rand_like(maps)))
    assert not EigenCAM.class_dependent
