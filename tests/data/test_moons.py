import pytest
import torch
from sklearn.datasets import make_moons

from dlcli.data.moons import Moons


def test_without_noise_the_points_are_those_of_scikit_learn():
    points, targets = make_moons(200, shuffle=False, noise=None)
    raw = Moons(examples=200, noise=0.0).raw()
    own = torch.stack([column.values for column in raw.columns], dim=1)
    assert torch.allclose(own, torch.from_numpy(points), atol=1e-6)
    assert raw.targets.tolist() == targets.tolist()


def test_the_noise_has_the_spread_that_is_asked_for_and_is_repeated_by_its_seed():
    def points(**options):
        return torch.stack([column.values for column in Moons(examples=4000, **options).raw().columns], dim=1)

    noise = points(noise=0.3) - points(noise=0.0)
    assert float(noise.std()) == pytest.approx(0.3, rel=0.03)
    assert torch.equal(points(), points())
    assert not torch.equal(points(), points(noise_seed=1))


def test_more_points_keep_the_noise_of_the_first():
    few, many = (Moons(examples=count, noise=0.1).raw().columns[0].values[0] for count in (20, 40))
    assert few == many


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"examples": 21}, "examples must be an even number of at least 20, got 21"),
        ({"examples": 2}, "examples must be an even number of at least 20"),
        ({"noise": -0.1}, "noise must be at least 0"),
        ({"val_share": 1.0}, "val_share must be in"),
    ],
)
def test_a_value_out_of_range_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Moons(**options)
