"""The way of training: from checkpoints where there are enough, else trained again."""

from __future__ import annotations

import torch

from dlcli.commands.console import Talk
from dlcli.commands.models import load_model
from dlcli.commands.training_path import own_settings, training_path

CPU = torch.device("cpu")


def loaded(reference: str):
    return load_model(reference, which="best", device=CPU, talk=Talk(quiet=True))


def test_a_runs_beginning_is_trained_again_from_its_first_weights(dl, runs):
    model = loaded("digits")
    before = torch.get_rng_state()
    path = training_path(model, steps=10, device=CPU)
    assert path is not None and "short training of" in path.words
    assert torch.equal(torch.get_rng_state(), before)
    again = training_path(model, steps=10, device=CPU)
    assert len(path.points) > 5
    name = next(iter(path.points[0]))
    assert all(torch.equal(one[name], other[name]) for one, other in zip(path.points, again.points, strict=True))
    assert not torch.equal(path.points[0][name], path.points[-1][name])


def test_the_shipped_model_has_a_recipe(dl):
    settings = own_settings(loaded("builtin:mnist"))
    assert settings is not None
    assert settings.model["widths"] == loaded("builtin:mnist").checkpoint.node["widths"]


def test_nothing_is_trained_where_no_steps_are_asked_for(dl, runs):
    assert training_path(loaded("digits"), steps=0, device=CPU) is None
