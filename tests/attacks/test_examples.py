"""What an attack is lent, and how the best is kept of every example."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.examples import Examples, Standing, lent, put, taken
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys

IMAGES = torch.rand(4, 1, 2, 2, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1, 2, 0])


def examples(goals: Tensor | None = None) -> Examples:
    return Examples(inputs=IMAGES, targets=TARGETS, goals=goals, keys=SampleKeys(0, torch.arange(4)))


def none_fooled(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.bool)


def test_what_is_taken_stays_together() -> None:
    some = examples(goals=torch.tensor([1, 2, 0, 1])).against(torch.tensor([2, 0, 1, 2])).take(torch.tensor([2, 0]))
    assert torch.equal(some.inputs, IMAGES[[2, 0]])
    assert [some.targets.tolist(), some.goals.tolist(), some.rivals.tolist()] == [[2, 0], [0, 1], [1, 2]]
    assert some.keys.index.tolist() == [2, 0]


def test_taking_nothing_in_particular_is_taking_all() -> None:
    assert len(examples().take(None)) == 4
    assert torch.equal(*taken(None, IMAGES), IMAGES)
    assert torch.equal(*taken(torch.tensor([1]), IMAGES), IMAGES[1:2])


def test_any_error_fools_and_with_goals_only_the_goal() -> None:
    logits = torch.eye(3)[[0, 2, 2, 1]]
    assert examples().fooled(logits).tolist() == [False, True, False, True]
    assert examples(goals=torch.tensor([1, 0, 1, 1])).fooled(logits).tolist() == [False, False, False, True]


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_what_is_lent_can_be_differentiated_where_the_caller_cannot(context: type) -> None:
    with context(), lent(nn.Identity(), IMAGES.clone(), TARGETS, rng=None, goals=None) as given, torch.enable_grad():
        leaf = given.inputs.requires_grad_()
        assert torch.equal(torch.autograd.grad((leaf**2).sum(), leaf)[0], 2 * IMAGES)


def test_images_that_were_normalised_before_are_refused() -> None:
    with (
        pytest.raises(ValueError, match="normalises them belongs in the model"),
        lent(nn.Identity(), IMAGES * 4 - 2, TARGETS, rng=None, goals=None),
    ):
        pass


@pytest.mark.parametrize("name", ["targets", "goals"])
def test_one_class_must_be_given_for_each_example(name: str) -> None:
    classes = {"targets": TARGETS, "goals": TARGETS, name: TARGETS[:3]}
    with (
        pytest.raises(ValueError, match=f"{name} must hold one class for each of 4 examples"),
        lent(nn.Identity(), IMAGES, classes["targets"], rng=None, goals=classes["goals"]),
    ):
        pass


def test_rows_are_put_where_they_belong_and_others_stay() -> None:
    into = IMAGES.clone()
    put(IMAGES + 1, into, torch.tensor([True, False, False, True]))
    assert torch.equal(into, IMAGES + torch.tensor([1.0, 0.0, 0.0, 1.0]).reshape(4, 1, 1, 1))


def test_the_best_of_several_offers_is_kept_and_not_the_last() -> None:
    standing = Standing(examples())
    for shift, value in ((0.1, 1.0), (0.2, 3.0), (0.3, 2.0)):
        assert standing.offer(IMAGES + shift, torch.full((4,), value), none_fooled(4)) is None
    assert torch.equal(standing.result(), IMAGES + 0.2)


def test_what_fooled_the_model_is_kept_whatever_its_loss_and_leaves() -> None:
    standing = Standing(examples())
    standing.offer(IMAGES + 0.1, torch.full((4,), 5.0), none_fooled(4))
    keep = standing.offer(IMAGES + 0.2, torch.zeros(4), torch.tensor([False, True, False, True]))
    assert keep is not None
    assert [keep.tolist(), standing.rows.tolist()] == [[0, 2], [0, 2]]
    assert standing.offer(IMAGES[[0, 2]] + 0.3, torch.tensor([6.0, 4.0]), none_fooled(2)) is None
    assert torch.equal(standing.result(), IMAGES + torch.tensor([0.3, 0.2, 0.1, 0.2]).reshape(4, 1, 1, 1))


@pytest.mark.parametrize("wild", [torch.nan, torch.inf])
def test_outputs_that_are_no_numbers_are_refused_and_never_pass_for_robustness(wild: float) -> None:
    with pytest.raises(ComputeError, match="not finite"):
        Standing(examples()).offer(IMAGES, torch.tensor([0.0, wild, 0.0, 0.0]), none_fooled(4))
