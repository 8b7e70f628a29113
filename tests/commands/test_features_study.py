"""``dl explain features``: on convolutions and on an MLP; a table is refused."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from dlcli.commands.features_study import FeatureHierarchy, _crop, _evenly, first_filters
from dlcli.engine.depths import Depth

SMALL = ("study.examples=200", "study.steps=3", "study.channels=2", "study.patches=2")


def test_depths_of_a_convolutional_network_are_probed_and_drawn(dl, runs):
    answer = dl("explain", "features", "--run", "digits", *SMALL, "--json")
    assert answer.code == 0, answer.err
    result = json.loads(answer.out)
    probes = [result["metrics"][f"explain/probe/{place}"] for place in range(3)]
    assert all(probe["low"] <= probe["value"] <= probe["high"] and probe["n"] == 100 for probe in probes)
    assert {"probes", "patches", "filters", "arrays"} == set(result["files"])


def test_an_mlp_says_that_it_has_no_maps(dl, runs):
    answer = dl("explain", "features", "--run", "flat", *SMALL)
    assert answer.code == 0, answer.err
    assert "no layer has a spatial map: whole images stand for patches" in answer.err


def test_a_table_is_refused_with_what_fits(dl, attrition):
    answer = dl("explain", "features", *SMALL)
    assert answer.code == 2
    assert "looks at images" in answer.err
    assert "dl explain gradients" in answer.err


def test_too_few_examples_are_refused(dl, runs):
    answer = dl("explain", "features", "--run", "digits", "--limit", "2", *SMALL[1:])
    assert answer.code == 2
    assert "too few for probes" in answer.err


def test_depths_are_chosen_evenly_with_both_ends():
    found = [Depth(str(place), 0, (4,)) for place in range(9)]
    assert [depth.name for depth in _evenly(found, 3)] == ["0", "4", "8"]
    assert [depth.name for depth in _evenly(found, 1)] == ["8"]
    assert _evenly(found[:2], 3) == found[:2]


def test_a_crop_lies_around_its_place_and_is_cut_at_the_edge():
    image = torch.arange(64.0).reshape(1, 8, 8)
    depth = Depth("conv", 0, (3, 4, 4))
    assert _crop(image, depth, 5, (2, 2)).tolist() == [[[18.0, 19.0], [26.0, 27.0]]]
    assert _crop(image, depth, 0, (6, 6)).shape == (1, 4, 4)
    assert _crop(image, Depth("linear", 0, (3,)), 0, (2, 2)).shape == (1, 8, 8)


def test_first_filters_are_grey_at_zero_and_a_linear_layers_are_images():
    convolution = nn.Conv2d(1, 2, 3)
    nn.init.zeros_(convolution.weight)
    assert torch.equal(first_filters(convolution, (1, 8, 8)), torch.full((2, 1, 3, 3), 0.5))
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    shown = first_filters(linear, (1, 8, 8))
    assert shown.shape == (5, 1, 8, 8)
    assert float(shown.min()) >= 0 and float(shown.max()) <= 1
    assert first_filters(nn.Linear(7, 2), (1, 8, 8)) is None


@pytest.mark.parametrize("wrong", [{"examples": 19}, {"depths": 0}, {"channels": 0}, {"patches": 0}, {"steps": -1}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FeatureHierarchy(**wrong)
