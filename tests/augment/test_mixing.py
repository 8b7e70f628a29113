"""Mixup and cutmix by their definitions: images and targets are mixed by the same shares."""

import pytest
import torch

from dlcli.augment.mixing import blend, draw_beta, draw_partners, draw_patches, mix, shares_of
from dlcli.contracts import Batch
from dlcli.randomness import SampleKeys

FORMATS = pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])


def keys(count: int, seed: int = 0) -> SampleKeys:
    return SampleKeys(seed, torch.arange(count))


def batch(count: int, *, flat: bool = False, memory_format: torch.memory_format = torch.contiguous_format) -> Batch:
    """Every example a class of its own, so that its mixed target says which examples went into it, and how much of each."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(count, 3, 1, 1, generator=generator).repeat(1, 1, 9, 11) if flat else None
    inputs = torch.rand(count, 3, 9, 11, generator=generator) if inputs is None else inputs
    return Batch(inputs.contiguous(memory_format=memory_format), torch.arange(count), torch.arange(count))


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 2.0, 8.0])
def test_draws_have_the_beta_distribution(alpha):
    from scipy.stats import beta, kstest

    # Below α = 1/2 so many draws are within rounding of 0 and 1 that a larger sample would show the rounding.
    draws = draw_beta(keys(4000 if alpha < 0.5 else 40_000), "x", 1, alpha).double().numpy()
    assert kstest(draws, beta(alpha, alpha).cdf).pvalue > 0.001
    assert kstest(draws, beta(alpha * 1.3, alpha * 1.3).cdf).pvalue < 0.001


@pytest.mark.parametrize("alpha", [1e-3, 0.05, 1.0, 1e4])
def test_draws_are_shares_for_any_alpha(alpha):
    draws = draw_beta(keys(5000), "x", 1, alpha)
    assert draws.isfinite().all()
    assert draws.min() >= 0 and draws.max() <= 1
    assert abs(draws.mean() - 0.5) < 5 * 0.5 / 5000**0.5


@pytest.mark.parametrize("count", [2, 3, 50])
def test_every_example_is_the_partner_of_exactly_one_other(count):
    partners = draw_partners(keys(count), 3)
    assert torch.equal(partners.sort().values, torch.arange(count))
    assert not (partners == torch.arange(count)).any()
    assert draw_partners(keys(1), 3).tolist() == [0]


def test_pairs_do_not_depend_on_the_order_in_the_batch_but_on_step_and_seed():
    rng, order = keys(40), torch.randperm(40, generator=torch.Generator().manual_seed(1))
    partners = draw_partners(rng, 3)
    assert torch.equal(order[draw_partners(rng.take(order), 3)], partners[order])
    assert not torch.equal(draw_partners(rng, 4), partners)
    assert not torch.equal(draw_partners(keys(40, seed=1), 3), partners)


def test_a_blend_is_the_convex_combination_and_exact_at_its_ends():
    one, other, shares = torch.rand(5, 2, 3, 4), torch.rand(5, 2, 3, 4), torch.tensor([0.0, 0.25, 0.5, 0.9, 1.0])
    result = blend(one, other, shares)
    for row, share in enumerate(shares.tolist()):
        torch.testing.assert_close(result[row], share * one[row] + (1 - share) * other[row], rtol=0, atol=1e-6)
    assert torch.equal(result[0], other[0])
    assert torch.equal(result[4], one[4])


@FORMATS
def test_mixup_mixes_images_and_targets_by_the_same_shares(memory_format):
    given, rng = batch(30, memory_format=memory_format), keys(30)
    mixed = mix(given, classes=30, mixup=0.8, cutmix=0.0, rng=rng, step=2)
    expected = torch.einsum("np,pchw->nchw", mixed.targets, given.inputs)
    torch.testing.assert_close(mixed.inputs, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(mixed.targets.diagonal(), draw_beta(rng, "augment/mixup", 2, 0.8), rtol=0, atol=1e-6)
    assert ((mixed.targets > 0).sum(dim=1) == 2).all()
    assert mixed.inputs.is_contiguous(memory_format=memory_format)
    assert torch.equal(given.inputs, batch(30).inputs)


@FORMATS
def test_cutmixs_share_is_exactly_that_of_the_pixels_left(memory_format):
    given = batch(30, flat=True, memory_format=memory_format)
    mixed = mix(given, classes=30, mixup=0.0, cutmix=1.0, rng=keys(30), step=2)
    partners = draw_partners(keys(30), 2)
    own = (mixed.inputs == given.inputs).all(dim=1)
    assert torch.equal(own | (mixed.inputs == given.inputs[partners]).all(dim=1), torch.ones_like(own))
    left = own.flatten(1).sum(dim=1) / 99
    torch.testing.assert_close(mixed.targets.diagonal(), left, rtol=0, atol=1e-6)
    torch.testing.assert_close(mixed.targets[torch.arange(30), partners], 1 - left, rtol=0, atol=1e-6)
    assert 0.2 < left.mean() < 0.95
    assert mixed.inputs.is_contiguous(memory_format=memory_format)


def test_a_patch_has_the_images_shape_and_the_share_that_was_drawn_but_for_the_border():
    shares = torch.tensor([0.0, 0.19, 0.75, 1.0]).repeat(500)
    top, left, height, width = draw_patches(keys(2000), 0, shares, (100, 200)).unbind(1)
    assert (top >= 0).all() and (left >= 0).all() and (top + height <= 100).all() and (left + width <= 200).all()
    whole = (top > 0) & (left > 0) & (top + height < 100) & (left + width < 200)
    for share, side in ((0.19, 0.9), (0.75, 0.5)):
        found = whole & (shares == shares.new_tensor(share))
        assert found.any()
        assert (height[found] == int(100 * side)).all() and (width[found] == int(200 * side)).all()
    assert (height[shares == 1] == 0).all() and (width[shares == 1] == 0).all()


def test_with_both_each_example_gets_one_of_them_about_equally_often():
    given = batch(2000, flat=True)
    mixed = mix(given, classes=2000, mixup=5.0, cutmix=1.0, rng=keys(2000), step=0)
    flat = (mixed.inputs == mixed.inputs[:, :, :1, :1]).flatten(1).all(dim=1)
    blended = flat & (mixed.inputs != given.inputs).flatten(1).any(dim=1)
    blended &= (mixed.inputs != given.inputs[draw_partners(keys(2000), 0)]).flatten(1).any(dim=1)
    # Binomial(2000, 1/2): standard deviation 22; five of them.
    assert abs(int(blended.sum()) - 1000) < 112
    torch.testing.assert_close(mixed.inputs.mean(dim=(2, 3)), mixed.targets @ given.inputs.mean(dim=(2, 3)), rtol=0, atol=1e-5)


def test_targets_that_are_shares_already_are_mixed_again():
    given = batch(6)
    soft = Batch(given.inputs, shares_of(given.targets, 6), given.index)
    hard, again = (mix(each, classes=6, mixup=1.0, cutmix=0.0, rng=keys(6), step=0) for each in (given, soft))
    assert torch.equal(hard.targets, again.targets)


def test_an_example_alone_in_its_batch_stays_as_it_is():
    alone = mix(batch(1), classes=3, mixup=1.0, cutmix=1.0, rng=keys(1), step=0)
    assert torch.equal(alone.inputs, batch(1).inputs)
    assert alone.targets.tolist() == [[1.0, 0.0, 0.0]]
