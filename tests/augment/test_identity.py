import torch

from dlcli.augment.identity import Identity
from dlcli.randomness import SampleKeys


def test_identity_gives_the_inputs_back():
    inputs = torch.rand(4, 1, 5, 5)
    assert Identity()(inputs, rng=SampleKeys(0, torch.arange(4)), step=3) is inputs
