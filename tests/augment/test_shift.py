import pytest
import torch

from dlcli.augment.shift import Shift
from dlcli.randomness import SampleKeys


def images(count: int, *, channels: int = 2, height: int = 6, width: int = 5) -> torch.Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0)) + 0.01


def keys(count: int, *, seed: int = 0) -> SampleKeys:
    return SampleKeys(seed, torch.arange(count))


def shifted_by(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """The reference: pixel by pixel."""
    height, width = image.shape[1:]
    result = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[:, row, column] = image[:, row - down, column - right]
    return result


@pytest.mark.parametrize("pixels", [1, 2, 7])
def test_each_image_equals_the_loop_reference_with_its_own_offsets(pixels):
    inputs, rng = images(40), keys(40)
    moves = pixels - rng.integers("augment/shift", 11, 2 * pixels + 1, (2,))
    expected = torch.stack([shifted_by(image, *move) for image, move in zip(inputs, moves.tolist(), strict=True)])
    assert torch.equal(Shift(pixels=pixels)(inputs, rng=rng, step=11), expected)


def test_every_move_occurs_about_equally_often():
    inputs = torch.zeros(9000, 1, 5, 5)
    inputs[:, :, 2, 2] = 1
    where = Shift(pixels=1)(inputs, rng=keys(9000), step=0).flatten(1).argmax(1)
    counts = where.bincount(minlength=25).reshape(5, 5)
    assert counts[1:4, 1:4].sum() == 9000
    # Binomial(9000, 1/9): standard deviation 30; five of them.
    assert (counts[1:4, 1:4] - 1000).abs().max() < 150


def test_an_images_shift_does_not_depend_on_its_batch():
    inputs, rng, rows = images(30), keys(30), torch.tensor([17, 3, 29])
    whole = Shift(pixels=2)(inputs, rng=rng, step=5)
    assert torch.equal(Shift(pixels=2)(inputs[rows], rng=rng.take(rows), step=5), whole[rows])


@pytest.mark.parametrize("other", [{"seed": 0, "step": 6}, {"seed": 1, "step": 5}], ids=["step", "seed"])
def test_another_step_or_seed_moves_the_images_elsewhere(other):
    inputs = images(30)
    first = Shift()(inputs, rng=keys(30), step=5)
    assert not torch.equal(Shift()(inputs, rng=keys(30, seed=other["seed"]), step=other["step"]), first)


def test_the_inputs_stay_as_they_are():
    inputs = images(8)
    before = inputs.clone()
    Shift(pixels=3)(inputs, rng=keys(8), step=0).zero_()
    assert torch.equal(inputs, before)


def test_zero_pixels_move_nothing():
    inputs = images(8)
    assert torch.equal(Shift(pixels=0)(inputs, rng=keys(8), step=0), inputs)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_result_keeps_the_memory_format_of_the_inputs(memory_format):
    inputs = images(8, channels=3).contiguous(memory_format=memory_format)
    result = Shift()(inputs, rng=keys(8), step=0)
    assert result.is_contiguous(memory_format=memory_format)
    assert torch.equal(result, Shift()(inputs.contiguous(), rng=keys(8), step=0))


def test_an_empty_batch_stays_empty():
    assert Shift()(images(4)[:0], rng=keys(0), step=0).shape == (0, 2, 6, 5)


def test_negative_pixels_are_refused():
    with pytest.raises(ValueError, match="pixels must be at least 0, got -1"):
        Shift(pixels=-1)
