"""Two examples made one, and their targets with them: mixup and cutmix.

Every example has a share of its own, and every example of the batch is the partner of exactly one other.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from dlcli.augment.boxes import replace_inside
from dlcli.contracts import Batch
from dlcli.randomness import SampleKeys


def draw_beta(rng: SampleKeys, purpose: str, step: int, alpha: float) -> Tensor:
    """Returns draws of Beta(alpha, alpha), float32 (N,), for any alpha > 0, from two uniforms each and without rejection.

    With U, V uniform and T = sqrt(2α (U^(-1/α) - 1)) cos(2πV), T has Student's distribution with 2α degrees of freedom (Bailey
    1994, "Polar generation of random variates with the t-distribution"), and (1 + T / sqrt(2α + T²)) / 2 is Beta(α, α)
    (Devroye 1996, "Random variate generation in one line of code", §2). The rest is algebra.
    """
    radius = torch.expm1(-torch.log1p(-rng.uniform(purpose + "/radius", step)) / alpha)
    cosine = torch.cos(2.0 * math.pi * rng.uniform(purpose + "/angle", step))
    return 0.5 + 0.5 * cosine.sign() * (1.0 + 1.0 / (radius * cosine.square())).rsqrt()


def draw_partners(rng: SampleKeys, step: int) -> Tensor:
    """Returns each example's partner in the batch, int64 (N,): the next one on a ring in keyed order.

    So no example is mixed with itself (unless it is alone), and the pairs do not depend on the order within the batch.
    """
    ring = rng.bits("augment/partner", step, ()).argsort()
    partners = torch.empty_like(ring)
    partners[ring] = ring.roll(-1)
    return partners


def draw_patches(rng: SampleKeys, step: int, shares: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns where the partner is pasted, boxes int64 (N, 4), cut off at the image's border.

    The image's shape times sqrt(1 - share), its middle any pixel (Yun et al. 2019, "CutMix: regularization strategy to train
    strong classifiers with localizable features", §3.1 and algorithm A1).
    """
    height, width = size
    pixel = rng.integers("augment/cutmix/middle", step, height * width)
    columns = []
    for middle, length in ((pixel // width, height), (pixel % width, width)):
        half = (0.5 * length * (1.0 - shares).sqrt()).long()
        start, end = (middle - half).clamp(min=0), (middle + half).clamp(max=length)
        columns.append((start, end - start))
    (top, tall), (left, wide) = columns
    return torch.stack([top, left, tall, wide], dim=1)


def blend(images: Tensor, others: Tensor, shares: Tensor) -> Tensor:
    """Returns shares · images + (1 - shares) · others, for one share in [0, 1] per example, (N,); exact at 0 and 1."""
    return torch.lerp(others, images, shares.view(-1, *[1] * (images.ndim - 1)))


def mix(batch: Batch, *, classes: int, mixup: float, cutmix: float, rng: SampleKeys, step: int) -> Batch:
    """Returns the batch with every example mixed with its partner; targets become the share of each class, float32 (N, P).

    Args:
        mixup: α of Beta(α, α), from which an example's share is drawn (Zhang et al. 2018, "mixup: beyond empirical risk
            minimization", §2); 0 is off.
        cutmix: α in the same way; the share is then that of the pixels left (Yun et al. 2019, §3.1); 0 is off.
            With both, each example gets one of them, by a fair coin.
    """
    partners = draw_partners(rng, step)
    images, others = batch.inputs, batch.inputs[partners]
    pasted = rng.uniform("augment/mix", step) < (0.5 if mixup else 1.0)
    shares = torch.ones(len(images), device=images.device)
    if mixup:
        drawn = draw_beta(rng, "augment/mixup", step, mixup)
        shares = drawn.masked_fill(pasted, 1.0) if cutmix else drawn
        images = blend(images, others, shares)
    if cutmix:
        height, width = images.shape[2:]
        boxes = draw_patches(rng, step, draw_beta(rng, "augment/cutmix", step, cutmix), (height, width)) * pasted[:, None]
        images = replace_inside(images, boxes, others)
        shares = shares * (1.0 - boxes[:, 2:].prod(dim=1) / (height * width))
    targets = shares_of(batch.targets, classes)
    return replace(batch, inputs=images, targets=blend(targets, targets[partners], shares))


def shares_of(targets: Tensor, classes: int) -> Tensor:
    """Returns class numbers (N,) as shares of each class, float32 (N, P); shares stay as they are."""
    return targets.float() if targets.ndim == 2 else nn.functional.one_hot(targets, classes).float()
