"""A network as it was before training."""

from __future__ import annotations

import torch

from dlcli.commands.console import Talk
from dlcli.commands.models import load_model
from dlcli.commands.untrained import untrained


def test_the_first_weights_of_a_run_are_drawn_again_by_its_seed(dl, runs):
    assert dl("train", "digits", "--epochs", "1", "optimizer.lr=1e-30", "--name", "still", "--quiet").code == 0
    loaded = load_model("still", which="last", device=torch.device("cpu"), talk=Talk(quiet=True))
    again, other = untrained(loaded, seed=0), untrained(loaded, seed=1)
    weights = dict(loaded.model.named_parameters())
    assert all(torch.allclose(tensor, weights[name]) for name, tensor in again.named_parameters())
    assert not torch.allclose(next(other.parameters()), next(again.parameters()))
    assert not again.training


def test_the_global_random_numbers_stay():
    loaded = load_model("builtin:mnist", which="best", device=torch.device("cpu"), talk=Talk(quiet=True))
    before = torch.get_rng_state()
    untrained(loaded, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
