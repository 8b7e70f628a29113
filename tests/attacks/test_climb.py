"""The inner climb: its directions are those of the losses, it stays in ball and box, and the model comes back as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.climb import apart_from, away_from, climb


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def gradient(function, logits: Tensor) -> Tensor:
    leaf = logits.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(leaf), leaf)
    return found


def unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Dropout(0.5), nn.Linear(4 * 36, 3)
    )


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_away_from_a_class_points_where_the_cross_entropy_rises(classes: int) -> None:
    logits, targets = drawn(6, classes), torch.arange(6) % classes
    expected = gradient(lambda leaf: nn.functional.cross_entropy(leaf, targets, reduction="sum"), logits)
    assert torch.allclose(unit(away_from(targets)(logits)), unit(expected), atol=1e-5)


def test_away_from_a_class_does_not_vanish_where_the_model_is_sure() -> None:
    logits, targets = torch.tensor([[200.0, 1.0, 0.0]]), torch.tensor([0])
    assert not gradient(lambda leaf: nn.functional.cross_entropy(leaf, targets), logits).any()
    found = away_from(targets)(logits)
    assert found[0, 0] == -1
    assert found[0, 1:].sum() == pytest.approx(1.0)


def test_apart_from_points_where_the_divergence_rises() -> None:
    logits, clean = drawn(6, 4), drawn(6, 4, seed=1).softmax(dim=1)
    expected = gradient(lambda leaf: nn.functional.kl_div(leaf.log_softmax(1), clean, reduction="sum"), logits)
    found = apart_from(clean)(logits)
    assert torch.allclose(unit(found), unit(expected), atol=1e-5)
    assert torch.allclose(found.abs().amax(dim=1), torch.ones(6))


def test_apart_from_is_zero_and_finite_where_the_answers_are_the_same() -> None:
    logits = torch.tensor([[0.0, 0.0]])
    assert not apart_from(logits.softmax(dim=1))(logits).any()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_points_stay_in_the_ball_and_the_box(norm: str) -> None:
    inputs = torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    points = climb(
        network(), inputs, inputs, away_from(torch.tensor([0, 1, 2, 0, 1])), norm=norm, epsilon=0.2, steps=5, step_size=0.1
    )
    sizes = (points - inputs).flatten(1).norm(p=torch.inf if norm == "linf" else 2, dim=1)
    assert float(sizes.max()) <= 0.2 + 1e-6
    assert float(sizes.min()) > 0.1
    assert 0 <= float(points.min()) <= float(points.max()) <= 1


def test_the_model_comes_back_as_it_was_and_gets_no_gradient() -> None:
    model, inputs = network(), torch.rand(5, 1, 8, 8)
    model.train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    model[5].bias.grad = torch.ones(3)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    climb(model, inputs, inputs, away_from(torch.tensor([0, 1, 2, 0, 1])), norm="linf", epsilon=0.1, steps=2, step_size=0.05)
    assert [module.training for module in model] == [True, False, True, True, True, True]
    assert not model[0].weight.requires_grad
    assert model[5].weight.requires_grad
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(model[5].bias.grad, torch.ones(3))
    assert model[5].weight.grad is None


def test_the_model_comes_back_as_it_was_after_an_exception() -> None:
    model = network().train()

    def broken(_logits: Tensor) -> Tensor:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        climb(model, torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8), broken, norm="linf", epsilon=0.1, steps=1, step_size=0.1)
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_divergence_near_the_clean_point_survives_half_precision() -> None:
    # At distance 1e-6 of the answers the plain slope, about 1e-7, would be flushed to zero by fp16 on its way back.
    logits = torch.tensor([[1.0, 0.0]])
    clean = (logits + torch.tensor([[1e-6, 0.0]])).softmax(dim=1)
    assert bool((apart_from(clean)(logits).half() != 0).all())
