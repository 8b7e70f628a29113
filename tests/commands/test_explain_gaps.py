"""What maps miss of their sum."""

import torch
from torch import nn

from dlcli.commands.explain_gaps import Gaps, watched
from dlcli.explainers.integrated_gradients import IntegratedGradients
from dlcli.explainers.saliency import Saliency


def test_an_explainer_that_promises_no_sum_is_left_as_it_is() -> None:
    gaps, explainer = Gaps(), Saliency()
    assert watched(explainer, gaps) is explainer
    assert gaps.metrics == {}
    assert gaps.remarks == []
    assert gaps.items == []


def test_what_is_missed_is_noted_beside_the_same_maps() -> None:
    torch.manual_seed(0)
    model, inputs, targets = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), torch.rand(2, 1, 2, 2), torch.tensor([0, 2])
    gaps, explainer = Gaps(), IntegratedGradients()
    maps = watched(explainer, gaps)(model, inputs, targets, rng=None)
    assert torch.equal(maps, explainer(model, inputs, targets))
    assert gaps.metrics["explain/largest_gap"].value < 1e-4
    assert len(gaps.items) == 2


def test_maps_that_do_not_add_up_are_counted() -> None:
    gaps = Gaps(missed=[0.5, -0.5, 0.0], wanted=[1.0, 100.0, 0.0])
    assert gaps.shares == [0.5, 0.005, 0.0]
    assert gaps.remarks == ["1 of 3 maps miss more than 5% of what they should add up to"]
