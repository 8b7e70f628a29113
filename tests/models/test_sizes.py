import pytest
import torch
from torch import nn

from dlcli.models.sizes import check_size, takes


def halving(times: int, channels: int = 3) -> nn.Sequential:
    """Takes images of at least 2 ** times pixels."""
    return nn.Sequential(nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), *(nn.MaxPool2d(2) for _ in range(times)))


@pytest.mark.parametrize("times", [0, 3, 5])
def test_the_smallest_size_is_found_and_named(times):
    net, smallest = halving(times), 2**times
    check_size("Net", net, (3, smallest, smallest + 5))
    if times:
        expected = rf"^Net needs images \(C, H, W\) of at least {smallest} x {smallest} pixels, got \(3, {smallest - 1}, 40\)"
        with pytest.raises(ValueError, match=expected):
            check_size("Net", net, (3, smallest - 1, 40))


def test_what_takes_no_size_that_was_tried_is_said_without_a_size():
    with pytest.raises(ValueError, match=r"^Net cannot take images of 8 x 8 pixels$"):
        check_size("Net", halving(1, channels=5), (3, 8, 8))


def test_trying_leaves_weights_buffers_and_flags_and_draws_nothing():
    net, state = nn.Sequential(halving(2), nn.Dropout()), torch.get_rng_state()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    assert takes(net, (3, 8, 8))
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(module.training for module in net.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_batch_norm_on_maps_of_one_pixel_is_no_hindrance():
    assert takes(nn.Sequential(halving(3), nn.BatchNorm2d(4)), (3, 8, 8))
