"""What attacks climb, against closed forms, autograd's cross-entropy and the invariances that the papers claim."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dlcli.attacks.examples import Examples
from dlcli.attacks.losses import Loss, dlr, likeliest_errors, log_odds, margin, targeted_dlr
from dlcli.randomness import SampleKeys

LOGITS = 3 * torch.randn(50, 10, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(50) % 10
GOALS = (TARGETS + 3) % 10


def examples(classes: int = 10, *, goals: bool = False, rivals: bool = False) -> Examples:
    one, other = TARGETS % classes, (TARGETS + 1) % classes
    return Examples(
        inputs=torch.zeros(50, 1),
        targets=one,
        goals=other if goals else None,
        rivals=other if rivals else None,
        keys=SampleKeys(0, torch.arange(50)),
    )


def slope(loss: Loss, logits: Tensor, given: Examples) -> Tensor:
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf, given).sum(), leaf)[0]


def test_the_cross_entropy_is_the_softplus_of_the_log_odds() -> None:
    expected = torch.nn.functional.cross_entropy(LOGITS, TARGETS, reduction="none")
    assert torch.allclose(torch.nn.functional.softplus(log_odds(LOGITS, examples())), expected, atol=1e-5)


def test_with_goals_the_log_odds_fall_with_the_goals_cross_entropy() -> None:
    given = examples(goals=True)
    expected = torch.nn.functional.cross_entropy(LOGITS, given.goals, reduction="none")
    assert torch.allclose(torch.nn.functional.softplus(-log_odds(LOGITS, given)), expected, atol=1e-5)


def test_the_log_odds_rise_in_the_direction_of_the_cross_entropy() -> None:
    leaf = LOGITS.clone().requires_grad_()
    entropy = torch.autograd.grad(torch.nn.functional.cross_entropy(leaf, TARGETS, reduction="sum"), leaf)[0]
    cosine = torch.nn.functional.cosine_similarity(slope(log_odds, LOGITS, examples()), entropy)
    assert torch.allclose(cosine, torch.ones(50), atol=1e-6)


def test_where_the_gradient_of_the_cross_entropy_underflows_that_of_the_log_odds_does_not() -> None:
    sure = torch.tensor([[1000.0, 0.0, -1.0]])
    given = Examples(inputs=sure, targets=torch.tensor([0]), goals=None, keys=SampleKeys(0, torch.arange(1)))
    leaf = sure.clone().requires_grad_()
    assert torch.autograd.grad(torch.nn.functional.cross_entropy(leaf, given.targets), leaf)[0].abs().max() < 1e-30
    share = torch.tensor([0.0, -1.0]).softmax(dim=0)
    assert torch.allclose(slope(log_odds, sure, given), torch.tensor([[-1.0, share[0], share[1]]]))


@pytest.mark.parametrize("loss", [margin, dlr])
@pytest.mark.parametrize("classes", [2, 3, 4, 10])
@pytest.mark.parametrize("goals", [False, True])
def test_a_margin_is_above_zero_exactly_where_the_example_is_fooled(loss: Loss, classes: int, goals: bool) -> None:
    given, logits = examples(classes, goals=goals), LOGITS[:, :classes]
    assert torch.equal(loss(logits, given) > 0, given.fooled(logits))


def test_two_classes_make_log_odds_margin_and_both_ratios_one_and_the_same() -> None:
    given, logits = examples(2, rivals=True), LOGITS[:, :2]
    expected = margin(logits, given)
    for loss in (log_odds, dlr, targeted_dlr):
        assert torch.allclose(loss(logits, given), expected)


def test_the_ratio_is_between_minus_one_and_zero_where_the_example_is_right() -> None:
    values = dlr(LOGITS, examples())
    right = LOGITS.argmax(dim=1) == TARGETS
    assert (values[right] <= 0).all()
    assert (values[right] >= -1).all()
    assert (values[~right] > 0).all()


@pytest.mark.parametrize(("loss", "classes"), [(dlr, 3), (dlr, 4), (dlr, 10), (targeted_dlr, 4), (targeted_dlr, 10)])
def test_a_ratio_is_free_of_shift_and_of_scale(loss: Loss, classes: int) -> None:
    given, logits = examples(classes, rivals=True), LOGITS[:, :classes].double()
    expected = loss(logits, given)
    assert torch.allclose(loss(1e3 * logits, given), expected)
    assert torch.allclose(loss(logits + 1e4, given), expected)


def test_the_ratios_are_those_of_the_paper() -> None:
    logits = torch.tensor([[5.0, 3.0, 2.0, 0.0]])
    given = Examples(inputs=logits, targets=torch.tensor([0]), goals=None, keys=SampleKeys(0, torch.arange(1)))
    assert dlr(logits, given).item() == pytest.approx((3 - 5) / (5 - 2))
    assert targeted_dlr(logits, given.against(torch.tensor([3]))).item() == pytest.approx((0 - 5) / (5 - (2 + 0) / 2))


def test_of_three_classes_the_last_can_still_be_climbed_to() -> None:
    logits = torch.tensor([[5.0, 3.0, 1.0]])
    given = Examples(inputs=logits, targets=torch.tensor([0]), goals=None, keys=SampleKeys(0, torch.arange(1)))
    assert torch.equal(slope(targeted_dlr, logits, given.against(torch.tensor([2]))), torch.tensor([[-1.0, 0.0, 1.0]]))


@pytest.mark.parametrize("loss", [log_odds, margin, dlr, targeted_dlr])
def test_equal_logits_give_numbers(loss: Loss) -> None:
    given = examples(rivals=True)
    assert loss(torch.zeros(50, 10), given).isfinite().all()
    assert slope(loss, torch.zeros(50, 10), given).isfinite().all()


def test_the_likeliest_errors_are_the_other_classes_by_their_logits() -> None:
    logits = torch.tensor([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    assert likeliest_errors(logits, torch.tensor([0, 2]), 2).tolist() == [[1, 2], [3, 1]]
    assert likeliest_errors(logits, torch.tensor([0, 2]), 9).shape == (2, 3)
