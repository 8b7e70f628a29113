"""FGSM against its closed form on linear models."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.fgsm import FGSM
from dlcli.contracts import Threat
from dlcli.errors import ComputeError

INPUTS, ZEROS = torch.full((2, 6), 0.5), torch.tensor([0, 0])


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(6, 1)


def test_fgsm_on_a_linear_model_is_epsilon_times_sign() -> None:
    model = linear()
    assert torch.equal(FGSM(epsilon=0.1)(model, INPUTS, ZEROS), INPUTS + 0.1 * model.weight.detach().sign())


def test_in_l2_fgsm_on_a_linear_model_is_epsilon_along_the_weights() -> None:
    model = linear()
    weight = model.weight.detach()
    expected = INPUTS + 0.1 * weight / weight.norm()
    assert torch.allclose(FGSM(epsilon=0.1, norm="l2")(model, INPUTS, ZEROS), expected, atol=1e-6)


def test_towards_a_goal_the_sign_is_turned() -> None:
    model = linear()
    towards = FGSM(epsilon=0.1)(model, INPUTS, ZEROS, goals=1 - ZEROS)
    assert torch.equal(towards, INPUTS + 0.1 * model.weight.detach().sign())


def test_images_are_clipped_to_the_box() -> None:
    model = nn.Sequential(nn.Flatten(), linear())
    attacked = FGSM(epsilon=1.0)(model, torch.full((2, 1, 2, 3), 0.5), ZEROS)
    assert set(attacked.unique().tolist()) == {0.0, 1.0}


def test_tables_have_no_box() -> None:
    assert FGSM(epsilon=1.0)(linear(), INPUTS, ZEROS).max().item() == 1.5


def test_a_radius_of_zero_changes_nothing() -> None:
    assert torch.equal(FGSM(epsilon=0.0)(linear(), INPUTS, ZEROS), INPUTS)


def test_an_input_without_gradient_stays_as_it_is() -> None:
    model = linear()
    nn.init.zeros_(model.weight)
    assert torch.equal(FGSM(epsilon=0.1)(model, INPUTS, ZEROS), INPUTS)


def test_a_gradient_that_is_no_number_is_an_error_and_no_input() -> None:
    class Root(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs.sqrt().sum(dim=1, keepdim=True)

    with pytest.raises(ComputeError, match="gradient is not finite"):
        FGSM(epsilon=0.1, norm="l2")(Root(), torch.tensor([[0.0, 0.5]]), torch.ones(1).long())


def test_the_threat_is_what_was_asked_for() -> None:
    assert FGSM(epsilon=0.25, norm="l2").threat == Threat("l2", 0.25)


def test_a_radius_in_units_of_255_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 8/255"):
        FGSM(epsilon=8)


def test_misclassified_examples_stay_as_they_are_and_so_do_those_at_their_goal() -> None:
    model = linear()
    wrong = 1 - (model(INPUTS).flatten() > 0).long()
    assert torch.equal(FGSM(epsilon=0.1)(model, INPUTS, wrong), INPUTS)
    assert torch.equal(FGSM(epsilon=0.1)(model, INPUTS, wrong, goals=1 - wrong), INPUTS)
