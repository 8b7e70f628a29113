"""All augmentations behind one class: what is off does nothing, the order is fixed, and mistakes are named."""

import pytest
import torch

from dlcli.augment.crop import draw_corners, padded_crop
from dlcli.augment.erase import draw_middles
from dlcli.augment.flip import draw_flips, flip_
from dlcli.augment.mixing import blend, draw_beta, draw_partners
from dlcli.augment.standard import Standard
from dlcli.contracts import Batch, Column, DataSpec
from dlcli.randomness import SampleKeys

SPEC = DataSpec(
    name="photos",
    shape=(3, 16, 20),
    classes=("a", "b", "c"),
    mean=(0.2, 0.4, 0.6),
    std=(0.3, 0.3, 0.3),
    epsilon={"linf": 0.1, "l2": 1.0},
)
TABLE = DataSpec(
    name="people",
    shape=(1,),
    classes=("no", "yes"),
    mean=(0.0,),
    std=(1.0,),
    kind="table",
    epsilon={},
    columns=(Column(name="age"),),
)
EVERYTHING = {
    "crop": 2,
    "resized_crop": 0.3,
    "flip": 0.5,
    "degrees": 20.0,
    "translate": 0.1,
    "scale": 0.2,
    "shear": 10.0,
    "outside": "reflect",
    "jitter": 0.4,
    "policy": "trivial",
    "cutout": 4,
    "erase": 0.5,
}
EACH = [{name: value} for name, value in EVERYTHING.items() if name != "outside"] + [{"policy": "randaugment"}, EVERYTHING]


def images(count: int = 24, memory_format: torch.memory_format = torch.channels_last) -> torch.Tensor:
    inputs = torch.rand(count, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    return inputs.contiguous(memory_format=memory_format)


def keys(count: int = 24, seed: int = 0) -> SampleKeys:
    return SampleKeys(seed, torch.arange(count))


def test_with_every_value_neutral_the_batch_is_not_even_copied():
    batch = Batch(images(), torch.arange(24) % 3, torch.arange(24))
    result = Standard(spec=SPEC).batch(batch, rng=keys(), step=0)
    assert result.inputs is batch.inputs
    assert result.targets is batch.targets


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("values", EACH, ids="+".join)
def test_each_change_keeps_inputs_range_memory_format_and_is_the_same_in_any_batch(values, memory_format):
    inputs, augment = images(memory_format=memory_format), Standard(spec=SPEC, **values)
    result = augment(inputs, rng=keys(), step=3)
    assert torch.equal(inputs, images())
    assert not torch.equal(result, inputs)
    assert result.is_contiguous(memory_format=memory_format)
    assert result.min() >= 0 and result.max() <= 1
    for rows in (torch.tensor([17, 3, 22]), torch.tensor([5])):
        assert torch.equal(augment(inputs[rows], rng=keys().take(rows), step=3), result[rows])


@pytest.mark.parametrize("values", EACH, ids="+".join)
def test_another_step_or_seed_draws_anew(values):
    augment = Standard(spec=SPEC, **values)
    first = augment(images(), rng=keys(), step=3)
    assert torch.equal(augment(images(), rng=keys(), step=3), first)
    assert not torch.equal(augment(images(), rng=keys(), step=4), first)
    assert not torch.equal(augment(images(), rng=keys(seed=1), step=3), first)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_batch_of_more_than_the_caches_hold_goes_in_pieces_and_comes_out_the_same(memory_format, monkeypatch):
    augment, inputs = Standard(spec=SPEC, **EVERYTHING), images(memory_format=memory_format)
    whole = augment(inputs, rng=keys(), step=3)
    for fitting in (7 * 3 * 16 * 20, 1):
        monkeypatch.setattr("dlcli.augment.standard._FITTING", fitting)
        result = augment(inputs, rng=keys(), step=3)
        assert torch.equal(result, whole)
        assert result.is_contiguous(memory_format=memory_format)
        assert Standard(spec=SPEC)(inputs, rng=keys(), step=3) is inputs


def test_crop_and_flip_are_those_of_the_examples_keys():
    result = Standard(spec=SPEC, crop=3, flip=0.5)(images(), rng=keys(), step=5)
    cropped = padded_crop(images(), draw_corners(keys(), 5, 3), pixels=3, outside="zero")
    assert torch.equal(result, flip_(cropped, draw_flips(keys(), 5, 0.5)))


def test_holes_come_after_colours_and_have_the_mean_colour_of_the_data():
    result = Standard(spec=SPEC, jitter=0.9, policy="trivial", cutout=1)(images(), rng=keys(), step=5)
    row, column = draw_middles(keys(), 5, (16, 20)).unbind(1)
    assert torch.equal(result[torch.arange(24), :, row, column], torch.tensor(SPEC.mean).expand(24, 3))


def test_mixing_comes_last_and_takes_the_changed_images():
    augment = {"crop": 2, "flip": 0.5, "cutout": 4}
    batch = Batch(images(), torch.arange(24) % 3, torch.arange(24))
    alone = Standard(spec=SPEC, **augment)(batch.inputs, rng=keys(), step=1)
    mixed = Standard(spec=SPEC, **augment, mixup=1.0).batch(batch, rng=keys(), step=1)
    assert mixed.targets.shape == (24, 3)
    shares = draw_beta(keys(), "augment/mixup", 1, 1.0)
    assert torch.equal(mixed.inputs, blend(alone, alone[draw_partners(keys(), 1)], shares))


def test_a_call_without_a_batch_does_not_mix():
    plain, mixing = Standard(spec=SPEC, flip=0.5), Standard(spec=SPEC, flip=0.5, mixup=1.0, cutmix=1.0)
    assert torch.equal(mixing(images(), rng=keys(), step=1), plain(images(), rng=keys(), step=1))


def test_an_empty_batch_stays_empty():
    batch = Batch(images()[:0], torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    result = Standard(spec=SPEC, **EVERYTHING, mixup=1.0).batch(batch, rng=keys(0), step=0)
    assert result.inputs.shape == (0, 3, 16, 20)


@pytest.mark.parametrize(("values", "message"), [
    ({"crop": -1}, "crop must be at least 0, got -1"),
    ({"outside": "edge"}, "outside must be one of zero, reflect, got 'edge'"),
    ({"crop": 16, "outside": "reflect"}, "crop must be below the image's smaller side, 16, with outside=reflect, got 16"),
    ({"resized_crop": 0.0}, r"resized_crop must be in \(0, 1\], got 0.0"),
    ({"resized_crop": 1.5}, r"resized_crop must be in \(0, 1\], got 1.5"),
    ({"flip": 1.1}, r"flip must be in \[0, 1\], got 1.1"),
    ({"degrees": 181.0}, r"degrees must be in \[0, 180\], got 181.0"),
    ({"translate": -0.1}, r"translate must be in \[0, 1\], got -0.1"),
    ({"scale": 1.0}, r"scale must be in \[0, 1\), got 1.0"),
    ({"shear": 90.0}, r"shear must be in \[0, 90\), got 90.0"),
    ({"jitter": 2.0}, r"jitter must be in \[0, 1\], got 2.0"),
    ({"policy": "auto"}, "policy must be one of none, randaugment, trivial, got 'auto'"),
    ({"operations": 0}, "operations must be at least 1, got 0"),
    ({"magnitude": 31.0}, r"magnitude must be in \[0, 30\], got 31.0"),
    ({"cutout": -2}, "cutout must be at least 0, got -2"),
    ({"erase": -0.5}, r"erase must be in \[0, 1\], got -0.5"),
    ({"mixup": -1.0}, "mixup must be at least 0, got -1.0"),
    ({"cutmix": float("nan")}, "cutmix must be at least 0, got nan"),
])  # fmt: skip
def test_a_value_out_of_its_range_is_refused_by_name(values, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        Standard(spec=SPEC, **values)


def test_tables_are_refused():
    with pytest.raises(
        ValueError, match="only images can be cropped, turned and mixed, and people is no set of images; use augment=none"
    ):
        Standard(spec=TABLE)
