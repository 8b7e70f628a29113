"""SSIM by its definition, and beside torchmetrics where that is installed."""

import pytest
import torch

from dlcli.metrics.structural_similarity import structural_similarity


def maps(seed: int, shape: tuple[int, int, int] = (3, 20, 17)) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_equal_maps_are_alike_and_their_order_does_not_count() -> None:
    first, second = maps(0), maps(1)
    assert torch.allclose(structural_similarity(first, first), torch.ones(3))
    assert torch.equal(structural_similarity(first, second), structural_similarity(second, first))
    assert (structural_similarity(first, second) < 0.5).all()


def test_two_flat_maps_differ_by_their_light_alone() -> None:
    one, other = torch.full((1, 12, 12), 0.2), torch.full((1, 12, 12), 0.8)
    expected = (2 * 0.2 * 0.8 + 1e-4) / (0.2**2 + 0.8**2 + 1e-4)
    assert float(structural_similarity(one, other)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shape", [(2, 10, 30), (2, 30)])
def test_maps_that_no_window_fits_on_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least 11 pixels"):
        structural_similarity(torch.rand(shape), torch.rand(shape))


def test_torchmetrics_finds_the_same() -> None:
    image = pytest.importorskip("torchmetrics.functional.image", reason="the group oracles is not installed")
    first, second = maps(2), maps(3)
    # Its mean counts windows over the edge, too, on a reflected image; inside they are the same.
    _, whole = image.structural_similarity_index_measure(
        first[:, None], second[:, None], data_range=1.0, reduction="none", return_full_image=True
    )
    inside = whole[:, 0, 5:-5, 5:-5].flatten(1).mean(dim=1)
    assert torch.allclose(structural_similarity(first, second), inside, atol=1e-5)
