"""What a look at gradients and outputs says of nets that hide something, and of those that do not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.probes import probe


def inputs(count: int = 20) -> Tensor:
    images = torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    images[:, :, :3] = 0.0  # an even background
    return images


class Hiding(nn.Module):
    """A small network, and something before and after it."""

    def __init__(self, before=lambda x: x, after=lambda z: z, outputs: int = 3) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, outputs))
        self.before, self.after = before, after

    def forward(self, images: Tensor) -> Tensor:
        return self.after(self.net(self.before(images)))


def seen(model: nn.Module):
    images = inputs()
    logits = model(images).detach()
    targets = logits.argmax(dim=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()
    return probe(model, images, targets)


def test_an_ordinary_network_shows_nothing():
    found = seen(Hiding())
    assert found.zero_cross_entropy == found.zero_log_odds == found.flat == found.change == found.flips == 0
    assert found.disagreeing <= 0.05
    assert not found.are_probabilities


def test_an_affine_network_has_exact_slopes():
    torch.manual_seed(0)
    assert seen(nn.Sequential(nn.Flatten(), nn.Linear(36, 3))).disagreeing == 0


def test_large_logits_underflow_the_cross_entropy_and_not_the_log_odds():
    found = seen(Hiding(after=lambda logits: 1e6 * logits))
    assert found.zero_cross_entropy > 0.9
    assert found.zero_log_odds == 0


def test_saturated_units_have_no_gradient_at_all():
    found = seen(Hiding(after=lambda logits: (1e6 * (logits + 1)).sigmoid()))
    assert found.zero_log_odds > 0.9


def test_a_rounded_input_has_neither_gradient_nor_slope():
    found = seen(Hiding(before=lambda images: (images * 4).round() / 4))
    assert found.zero_cross_entropy == found.zero_log_odds == 1
    assert found.flat > 0.9


def test_a_wrong_backward_pass_disagrees_with_the_slope():
    class Straight(torch.autograd.Function):
        """Squares, and claims to be the identity."""

        @staticmethod
        def forward(_context, images):
            return images**2

        @staticmethod
        def backward(_context, gradient):
            return gradient

    assert seen(Hiding(before=Straight.apply)).disagreeing > 0.5


def test_a_slope_that_is_out_by_a_fifth_disagrees():
    assert seen(Hiding(before=lambda images: images + 0.25 * images.detach())).disagreeing > 0.9


def test_a_network_that_draws_noise_answers_otherwise_the_second_time():
    found = seen(Hiding(before=lambda images: images + 0.3 * torch.randn_like(images)))
    assert found.change > 0.01
    assert found.disagreeing > 0.9


@pytest.mark.parametrize("outputs", [1, 3])
def test_probabilities_are_known_for_what_they_are(outputs):
    squash = torch.sigmoid if outputs == 1 else lambda logits: logits.softmax(dim=1)
    found = seen(Hiding(after=squash, outputs=outputs))
    assert found.are_probabilities
    assert found.binary == (outputs == 1)


def test_a_network_for_single_precision_alone_is_compared_in_it():
    def single(images: Tensor) -> Tensor:
        if images.dtype != torch.float32:
            raise RuntimeError("expected scalar type Float")
        return images

    assert seen(Hiding(before=single)).disagreeing <= 0.2


def test_a_network_that_casts_to_single_precision_inside_shows_nothing():
    assert seen(Hiding(after=lambda logits: logits.float().to(logits.dtype))).disagreeing <= 0.05


def test_the_model_is_given_back_as_it_was():
    model, state = Hiding().train(), torch.get_rng_state()
    seen(model)
    assert model.training
    assert next(model.parameters()).requires_grad
    assert next(model.parameters()).dtype == torch.float32
    assert torch.equal(torch.get_rng_state(), state)
