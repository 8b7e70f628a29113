"""A classifier under Gaussian noise: how it votes, and the mean of its probabilities, which an attack can climb."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlcli.classifier import borrowed, class_logits, predicted_classes
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys


class Smoothed(nn.Module):
    """The logarithm of a classifier's mean probabilities over a fixed set of noise for each example, as class logits.

    Its gradient is that of Salman et al. 2019, "Provably robust deep learning via adversarially trained smoothed classifiers",
    eq. 6: the strongest known way to attack a smoothed classifier. The same example has the same noise in every pass.

    Args:
        model: raw inputs in, logits (N, K) out.
        sigma: standard deviation of the noise, in raw units; at least 0.
        draws: noisy copies of each example; at least 1.
    """

    # It is told which examples it is asked about.
    by_example = True

    def __init__(self, model: nn.Module, *, sigma: float, draws: int, seed: int = 0) -> None:
        super().__init__()
        if sigma < 0 or draws < 1:
            raise ValueError(f"expected sigma >= 0 and draws >= 1, got {sigma} and {draws}")
        self.model, self.sigma, self.draws, self.seed = model, sigma, draws, seed

    def forward(self, inputs: Tensor, index: Tensor) -> Tensor:
        """Returns (N, P) for inputs (N, ...) at positions ``index``, int64 (N,)."""
        keys = SampleKeys(self.seed, index.to(inputs.device))
        shape = tuple(inputs.shape[1:])
        noisy = torch.cat([inputs + self.sigma * keys.normal("smoothed", draw, shape) for draw in range(self.draws)])
        logs: Tensor = class_logits(self.model(noisy)).log_softmax(dim=1)
        return logs.reshape(self.draws, len(inputs), logs.shape[1]).logsumexp(dim=0)


def votes(
    model: nn.Module,
    inputs: Tensor,
    index: Tensor,
    *,
    sigma: float,
    draws: int,
    seed: int,
    purpose: str,
    batch_size: int = 1000,
    check: Callable[[], None] = lambda: None,
) -> Tensor:
    """Returns how often each class wins under noise, int64 (N, P) on the CPU; each row sums to ``draws``.

    Args:
        model: raw inputs in, logits (N, K) out; lent, and given back as it was.
        inputs: (N, ...) in raw units. index: their positions, int64 (N,).
        purpose: tells votes apart that must not share their noise.
        batch_size: noisy copies in one pass.
        check: called before every pass; may raise to stop.

    Raises:
        ComputeError: logits that are NaN, which name no class.
    """
    keys, shape = SampleKeys(seed, index.to(inputs.device)), tuple(inputs.shape[1:])
    at_once = max(1, batch_size // max(len(inputs), 1))
    counts: Tensor | None = None
    wild = torch.zeros((), dtype=torch.bool, device=inputs.device)
    with borrowed(model), torch.no_grad():
        for first in range(0, draws, at_once):
            check()
            steps = range(first, min(first + at_once, draws))
            noisy = torch.cat([inputs + sigma * keys.normal(f"votes/{purpose}", step, shape) for step in steps])
            logits = model(noisy)
            wild |= logits.isnan().any()
            won = predicted_classes(logits).reshape(len(steps), len(inputs))
            if counts is None:
                counts = torch.zeros(len(inputs), class_logits(logits[:1]).shape[1], dtype=torch.int64, device=inputs.device)
            counts += nn.functional.one_hot(won, counts.shape[1]).sum(dim=0)
    assert counts is not None
    if wild:
        raise ComputeError("the model's outputs under noise are not numbers (NaN), so they name no class")
    return counts.cpu()
