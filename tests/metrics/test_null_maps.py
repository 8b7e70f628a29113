"""Maps that know nothing."""

import torch

from dlcli.metrics.null_maps import null_maps
from dlcli.randomness import SampleKeys

IMAGES = torch.rand(3, 2, 9, 12, generator=torch.Generator().manual_seed(0))
KEYS = SampleKeys(0, torch.arange(3))


def test_there_are_so_many_smooth_ones_then_edges_then_a_blob() -> None:
    maps = null_maps(IMAGES, 5, KEYS)
    assert maps.shape == (3, 7, 9, 12)
    assert maps.isfinite().all()
    blob = maps[0, 6]
    assert blob.argmax() // 12 == 4
    assert torch.equal(blob, blob.flip(0))


def test_edges_are_where_the_image_changes() -> None:
    image = torch.zeros(1, 1, 8, 8)
    image[..., 4:] = 1
    edges = null_maps(image, 0, SampleKeys(0, torch.arange(1)))[0, 0]
    assert edges[:, 3:5].min() == 4
    assert edges[:, :3].max() == edges[:, 5:].max() == 0


def test_random_ones_are_the_images_own_and_differ() -> None:
    together, alone = null_maps(IMAGES, 4, KEYS), null_maps(IMAGES[1:2], 4, KEYS.take(torch.tensor([1])))
    assert torch.equal(together[1:2], alone)
    assert not torch.allclose(together[0, 0], together[1, 0])
    assert not torch.allclose(together[0, 0], together[0, 1])
