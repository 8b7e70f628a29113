"""Keyed randomness: draws depend on seed, purpose, position and example, and on nothing else."""

from __future__ import annotations

import math
import traceback

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcli.randomness import SampleKeys, borrowed_rng, key, permutation, seed_step

MASK = (1 << 64) - 1


def split_mix(value: int) -> int:
    """SplitMix64's output function on Python's own integers (Steele, Lea and Flood 2014, figure 17)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def test_split_mix_has_the_published_first_output() -> None:
    # The first output for seed 0, as in the reference implementation of Vigna's splitmix64.c.
    assert split_mix(0) == 0xE220A8397B1DCDAF


def test_bits_are_split_mix_of_the_index_and_the_key() -> None:
    index = torch.tensor([0, 1, 77, 2**40])
    found = SampleKeys(3, index).bits("noise", 5, (2,))
    for row, place in enumerate(index.tolist()):
        start = split_mix(place ^ key(3, "noise", 5))
        expected = [split_mix((start + lane * 0x9E3779B97F4A7C15) & MASK) for lane in range(2)]
        assert [value & MASK for value in found[row].tolist()] == expected


def test_draws_of_an_example_do_not_depend_on_the_batch_that_it_is_in() -> None:
    whole = SampleKeys(7, torch.arange(40))
    rows = torch.tensor([31, 4, 4, 19])
    for alone in (SampleKeys(7, rows), whole.take(rows)):
        assert torch.equal(alone.uniform("a", 2, (3, 5)), whole.uniform("a", 2, (3, 5))[rows])
        assert torch.equal(alone.normal("a", 2, (3,)), whole.normal("a", 2, (3,))[rows])
        assert torch.equal(alone.integers("a", 2, 9, (3,)), whole.integers("a", 2, 9, (3,))[rows])


def test_rows_can_be_taken_by_mask() -> None:
    keys = SampleKeys(1, torch.arange(6))
    mask = torch.tensor([True, False, True, False, False, True])
    assert torch.equal(keys.take(mask).index, torch.tensor([0, 2, 5]))


@pytest.mark.parametrize(("seed", "purpose", "step"), [(1, "a", 0), (0, "b", 0), (0, "a", 1)])
def test_another_seed_purpose_or_step_gives_other_draws(seed: int, purpose: str, step: int) -> None:
    index = torch.arange(1000)
    base, other = SampleKeys(0, index).uniform("a", 0), SampleKeys(seed, index).uniform(purpose, step)
    assert (base == other).float().mean() < 0.01
    assert abs(torch.corrcoef(torch.stack([base, other]))[0, 1]) < 0.1


def test_uniforms_fill_their_interval_evenly() -> None:
    draws = SampleKeys(0, torch.arange(100_000)).uniform("u", 0, low=-2.0, high=3.0)
    assert draws.dtype == torch.float32
    assert draws.min() >= -2.0
    assert draws.max() < 3.0
    counts = torch.histc(draws, bins=50, min=-2.0, max=3.0)
    chi_square = float(((counts - 2000) ** 2 / 2000).sum())
    assert chi_square < 85.4  # 99.9 % point of chi-square with 49 degrees of freedom


def test_normals_have_the_moments_of_the_normal_distribution() -> None:
    draws = SampleKeys(0, torch.arange(100_000)).normal("n", 0)
    assert torch.isfinite(draws).all()
    standard_error = 1 / math.sqrt(100_000)
    assert abs(float(draws.mean())) < 4 * standard_error
    assert abs(float(draws.var()) - 1) < 4 * math.sqrt(2) * standard_error
    assert abs(float((draws**4).mean()) - 3) < 4 * math.sqrt(96) * standard_error


@given(low=st.integers(-1000, 1000), width=st.integers(1, 1 << 31))
def test_integers_stay_in_their_range(low: int, width: int) -> None:
    draws = SampleKeys(0, torch.arange(50)).integers("i", 0, low + width, low=low)
    assert draws.min() >= low
    assert draws.max() < low + width


def test_integers_take_each_value_equally_often() -> None:
    counts = SampleKeys(0, torch.arange(90_000)).integers("i", 0, 9).bincount(minlength=9)
    assert ((counts - 10_000).abs() < 4 * math.sqrt(90_000 * (1 / 9) * (8 / 9))).all()


@pytest.mark.parametrize(("low", "high"), [(0, 0), (5, 5), (6, 5), (0, (1 << 31) + 1)])
def test_an_empty_or_too_wide_range_is_refused(low: int, high: int) -> None:
    with pytest.raises(ValueError, match="high - low"):
        SampleKeys(0, torch.arange(2)).integers("i", 0, high, low=low)


def test_keys_are_63_bits_and_keep_types_and_borders_apart() -> None:
    assert 0 <= key("a") < 1 << 63
    assert len({key("a", "b"), key("ab"), key("a", "b", ""), key(1), key("1"), key(1, 2), key(12)}) == 7


def test_keys_are_the_same_in_every_process() -> None:
    # printf 'int:0\x1fstr:order\x1fint:3' | b2sum -l 64, without its last bit.
    assert key(0, "order", 3) == 3421225812864122905


def test_a_permutation_holds_each_example_once_and_depends_on_seed_and_epoch() -> None:
    order = permutation(0, 1, 100)
    assert torch.equal(order.sort().values, torch.arange(100))
    assert torch.equal(order, permutation(0, 1, 100))
    assert not torch.equal(order, permutation(0, 2, 100))
    assert not torch.equal(order, permutation(1, 1, 100))


def test_a_permutation_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    permutation(0, 0, 10)
    assert torch.equal(before, torch.get_rng_state())


def test_a_borrowed_generator_comes_back_also_after_an_exception() -> None:
    before = torch.get_rng_state()
    with pytest.raises(KeyError), borrowed_rng():
        seed_step(0, "dropout", 3)
        torch.rand(5)
        raise KeyError
    assert torch.equal(before, torch.get_rng_state())


def test_a_seeded_step_draws_the_same_whatever_was_drawn_before() -> None:
    with borrowed_rng():
        seed_step(0, "dropout", 3)
        first = torch.rand(5)
        torch.rand(99)
        seed_step(0, "dropout", 3)
        assert torch.equal(first, torch.rand(5))
        seed_step(0, "dropout", 4)
        assert not torch.equal(first, torch.rand(5))


def test_a_step_is_seeded_as_torch_would_without_a_traceback_for_devices_that_are_not_in_use(monkeypatch) -> None:
    if torch.cuda.is_initialized():
        pytest.skip("CUDA is in use in this process: torch formats no traceback then")
    formatted: list[int] = []
    monkeypatch.setattr(traceback, "format_stack", lambda *_, **__: formatted.append(1) or [])
    with borrowed_rng():
        torch.manual_seed(key(7, "dropout", 3))
        theirs = torch.get_rng_state()
        assert formatted  # what is avoided
        formatted.clear()
        torch.manual_seed(0)
        formatted.clear()
        seed_step(7, "dropout", 3)
        assert torch.get_rng_state().equal(theirs)
    assert not formatted
