"""Square attack: no gradients, its own window for every example, and what it reaches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.balls import Norm, distance
from dlcli.attacks.square import Square
from dlcli.classifier import predicted_classes
from dlcli.contracts import Threat

SHAPE = (1, 6, 5)


class Recorded(nn.Module):
    """A model that keeps every batch that it was shown."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.seen = inner, list[Tensor]()

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(inputs.detach().clone())
        return self.inner(inputs)


class Fixed(nn.Module):
    """Three classes, always the first: nothing fools it."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.tensor([2.0, 1.0, 0.0]).expand(len(inputs), 3)


def linear() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(30, 1))
    inputs = 0.5 + 0.1 * (torch.rand(100, *SHAPE) - 0.5)
    with torch.no_grad():
        model[1].bias -= model(inputs).mean(dim=0)
    return model, inputs, predicted_classes(model(inputs))


@pytest.mark.parametrize(("norm", "reach"), [("linf", 0.99), ("l2", 0.8)])
def test_on_a_linear_model_what_is_well_in_reach_is_broken_and_nothing_out_of_reach(norm: Norm, reach: float) -> None:
    model, inputs, targets = linear()
    distances = model(inputs).detach().abs().flatten() / model[1].weight.detach().norm(p={"linf": 1, "l2": 2}[norm])
    epsilon = float(distances.median())
    attacked = Square(epsilon=epsilon, norm=norm, queries=2000, rescale=True)(model, inputs, targets)
    standing = predicted_classes(model(attacked)) == targets
    assert standing[distances > 1.001 * epsilon].all()
    assert not standing[distances < reach * epsilon].any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_breaks_a_model_whose_gradient_is_zero_everywhere(norm: Norm) -> None:
    class Rounded(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return torch.round(inputs * 20) / 20

    model, inputs, targets = linear()
    epsilon = {"linf": 0.1, "l2": 0.5}[norm]
    attacked = Square(epsilon=epsilon, norm=norm, queries=300)(nn.Sequential(Rounded(), model), inputs, targets)
    assert (predicted_classes(model(torch.round(attacked * 20) / 20)) == targets).float().mean() < 0.2


def test_it_works_where_a_model_can_not_be_differentiated_at_all() -> None:
    class Table(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            with torch.no_grad():
                return torch.cat([torch.full((len(inputs), 1), 0.55), inputs.mean(dim=(1, 2, 3))[:, None]], dim=1)

    attacked = Square(epsilon=0.1)(Table(), torch.full((2, *SHAPE), 0.5), torch.zeros(2).long())
    assert (attacked.mean(dim=(1, 2, 3)) > 0.55).all()


def test_in_linf_every_point_is_at_the_edge_of_the_ball_in_every_pixel() -> None:
    model, inputs = Recorded(Fixed()), torch.full((3, *SHAPE), 0.5)
    Square(epsilon=0.1, queries=20)(model, inputs, torch.zeros(3).long())
    for points in model.seen[1:]:
        assert torch.allclose((points - inputs).abs(), torch.tensor(0.1))


def test_in_linf_it_starts_from_vertical_stripes() -> None:
    model, inputs = Recorded(Fixed()), torch.full((3, 3, 6, 5), 0.5)
    Square(epsilon=0.1, queries=1)(model, inputs, torch.zeros(3).long())
    stripes = model.seen[1]
    assert torch.equal(stripes, stripes[:, :, :1].expand_as(stripes))
    assert not torch.equal(stripes, stripes[..., :1].expand_as(stripes))


def test_in_l2_every_point_is_on_the_sphere() -> None:
    model, inputs = Recorded(Fixed()), torch.full((3, 3, 9, 8), 0.5)
    Square(epsilon=0.4, norm="l2", queries=20)(model, inputs, torch.zeros(3).long())
    for points in model.seen[1:]:
        assert torch.allclose(distance(points - inputs, "l2"), torch.tensor(0.4))


def test_every_example_has_its_own_windows() -> None:
    model, inputs = Recorded(Fixed()), torch.full((40, *SHAPE), 0.5)
    Square(epsilon=0.1, queries=1, share=0.1)(model, inputs, torch.zeros(40).long())
    changed = (model.seen[2] != model.seen[1]).flatten(1)
    assert len({tuple(row) for row in changed.int().tolist()}) > 5


def test_a_query_is_one_forward_pass_of_those_that_stand_and_the_start_is_one_more() -> None:
    model = Recorded(Fixed())
    Square(epsilon=0.1, queries=7)(model, torch.full((3, *SHAPE), 0.5), torch.tensor([0, 0, 1]))
    assert [len(batch) for batch in model.seen] == [3] + [2] * 8


@pytest.mark.parametrize("share", [0.0, 1.1, -1.0])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share must be above 0 and at most 1, got"):
        Square(epsilon=0.1, share=share)


def test_no_queries_are_refused() -> None:
    with pytest.raises(ValueError, match="queries must be at least 1, got 0"):
        Square(epsilon=0.1, queries=0)


def test_the_threat_is_what_was_asked_for() -> None:
    assert Square(epsilon=0.25, norm="l2").threat == Threat("l2", 0.25)
