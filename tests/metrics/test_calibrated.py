"""Temperature, thresholds and peers as a checkpoint keeps them."""

from __future__ import annotations

import math

import pytest
import torch

from dlcli.contracts import Predictions
from dlcli.metrics.calibrated import Calibration, Peers, fitted_calibration
from dlcli.metrics.calibration import expected_calibration_error, negative_log_likelihood
from dlcli.metrics.ranking import auroc


def drawn(logits, *, temperature=1.0, seed=0):
    """Targets drawn from softmax(logits / temperature): the temperature that makes the logits true."""
    generator = torch.Generator().manual_seed(seed)
    chances = (logits / temperature).softmax(dim=1)
    targets = torch.multinomial(chances, 1, generator=generator)[:, 0]
    return Predictions(logits, targets, torch.arange(len(targets)))


def of_two_classes(count=4000, *, temperature=2.0):
    logits = torch.randn(count, 1, generator=torch.Generator().manual_seed(1)) * 4
    return drawn(torch.cat([-logits / 2, logits / 2], dim=1), temperature=temperature)


def test_a_known_temperature_is_found():
    logits = 3 * torch.randn(20_000, 5, generator=torch.Generator().manual_seed(0))
    assert fitted_calibration(drawn(logits, temperature=2.0)).temperature == pytest.approx(2.0, rel=0.05)


def test_scaling_keeps_classes_and_rankings_and_never_raises_the_likelihood_it_was_fitted_to():
    predictions = of_two_classes()
    calibration = fitted_calibration(predictions)
    scaled = calibration.scaled(predictions)
    assert torch.equal(scaled.logits.argmax(dim=1), predictions.logits.argmax(dim=1))
    assert auroc(scaled).value == auroc(predictions).value
    assert negative_log_likelihood(scaled).value <= negative_log_likelihood(predictions).value
    assert expected_calibration_error(scaled).value < expected_calibration_error(predictions).value / 3


def test_without_a_mistake_there_is_no_best_temperature():
    logits = torch.tensor([[2.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    assert fitted_calibration(Predictions(logits, torch.tensor([0, 1, 0]), torch.arange(3))).temperature == 1.0


def test_thresholds_are_on_the_scale_of_calibrated_chances():
    predictions = of_two_classes()
    calibration = fitted_calibration(predictions)
    chance = calibration.probabilities(predictions.logits)[:, 1]
    assert int((chance >= calibration.thresholds["top_10"]).sum()) == len(chance) // 10


def test_peers_tell_how_often_similar_chances_came_true():
    predictions = of_two_classes()
    calibration = fitted_calibration(predictions)
    assert sum(each.count for each in calibration.peers) == len(predictions.targets)
    seen = calibration.observed(0.85)
    assert 0.8 <= seen.low < seen.value < seen.high <= 0.9
    assert seen.method == "wilson"
    assert all(each.high - each.low <= 0.1 + 1e-9 for each in calibration.peers)


def test_a_chance_that_val_never_saw_has_no_peers():
    logits = torch.tensor([[3.0, 0.0]] * 60 + [[0.0, 3.0]] * 40)
    calibration = fitted_calibration(Predictions(logits, torch.tensor([0] * 58 + [1] * 42), torch.arange(100)))
    assert math.isnan(calibration.observed(0.5).value)
    chance = float(calibration.probabilities(torch.tensor([[0.0, 3.0]]))[0, 1])
    assert calibration.observed(chance).n == 40


def test_more_than_two_classes_have_no_thresholds_and_peers_of_the_top_label():
    calibration = fitted_calibration(drawn(torch.randn(300, 4, generator=torch.Generator().manual_seed(2))))
    assert calibration.thresholds == {}
    assert all(each.high > 0.25 for each in calibration.peers)


def test_what_a_checkpoint_keeps_comes_back():
    calibration = fitted_calibration(of_two_classes(300))
    values = calibration.to_dict()
    assert all(math.isfinite(value) for value in values.values())
    assert Calibration.of({name: float(value) for name, value in values.items()}) == calibration


@pytest.mark.parametrize("values", [{}, {"threshold/f1": 0.5}, {"temperature": math.nan}, {"temperature": -1.0}])
def test_nothing_fitted_is_no_calibration(values):
    assert Calibration.of(values) is None


def test_garbled_peers_of_a_foreign_file_are_left_out():
    values = {"temperature": 2.0, "bin/1/high": 1.0}
    for number, (count, hits) in enumerate([(3.0, 5.0), (3.0, 1.0), (math.inf, 1.0)]):
        values |= {f"bin/{number}/low": 0.8, f"bin/{number}/high": 0.9, f"bin/{number}/count": count, f"bin/{number}/hits": hits}
    found = Calibration.of(values)
    assert found is not None
    assert found.peers == (Peers(0.8, 0.9, 3, 1),)
    assert math.isnan(Calibration(1.0, {}, ()).observed(0.5).value)
