"""What every attack promises, for every YAML in configs/attack."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.classifier import class_logits, predicted_classes
from dlcli.contracts import Attack
from dlcli.errors import ComputeError
from dlcli.randomness import SampleKeys

CONFIGS = sorted((Path(__file__).parents[2] / "configs" / "attack").glob("*.yaml"))
NORMS = ["linf", "l2"]
SHAPE = (3, 7, 5)

every_attack = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
# Noise is the null: it looks at no model, so it spares nobody and serves no goal.
every_real_attack = pytest.mark.parametrize(
    "path", [path for path in CONFIGS if path.stem != "noise"], ids=lambda path: path.stem
)
# FGSM has one step to give, wherever it leads.
every_iterated_attack = pytest.mark.parametrize(
    "path", [path for path in CONFIGS if path.stem not in {"noise", "fgsm"}], ids=lambda path: path.stem
)
# There is no way to turn a table.
every_attack_of_numbers = pytest.mark.parametrize(
    "path", [path for path in CONFIGS if path.stem != "spatial"], ids=lambda path: path.stem
)
every_norm = pytest.mark.parametrize("norm", NORMS)


def size(delta: Tensor, norm: str) -> Tensor:
    return torch.linalg.vector_norm(delta.flatten(1).double(), ord={"linf": torch.inf, "l2": 2}[norm], dim=1)


def labels(count: int, classes: int) -> Tensor:
    return torch.arange(count) % max(classes, 2)


def truth_lead(logits: Tensor, targets: Tensor) -> Tensor:
    """By how much the true class leads all others."""
    truth = nn.functional.one_hot(targets, logits.shape[1]).bool()
    return logits[truth] - logits.masked_fill(truth, -torch.inf).amax(dim=1)


def affine_distances(model: nn.Module, inputs: Tensor, norm: str) -> Tensor:
    """How far the nearest boundary of an affine model is, if there were no box: the margin over the dual norm."""
    logits, weight = class_logits(model(inputs)).detach(), class_logits(model[1].weight.detach().T).T
    best = logits.argmax(dim=1)
    gaps = logits.gather(1, best[:, None]) - logits
    slopes = (weight[best][:, None] - weight[None]).norm(p={"linf": 1, "l2": 2}[norm], dim=2)
    return (gaps / slopes).scatter(1, best[:, None], torch.inf).amin(dim=1)


@every_attack
def test_a_yaml_builds_an_attack_whose_threat_is_its_fields(path: Path, build: Any) -> None:
    attack = build(path)
    assert isinstance(attack, Attack)
    assert attack.kind == "attack"
    assert attack.threat.norm in [*NORMS, "spatial"]
    assert attack.threat.epsilon == getattr(attack, "epsilon", None)


@every_attack
@every_norm
@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("shape", [(1, 4, 6), SHAPE])
def test_the_result_is_an_image_inside_the_box_and_the_ball(
    path: Path, norm: str, *, classes: int, shape: tuple[int, ...], build: Any, make_model: Any, make_images: Any
) -> None:
    attack, inputs = build(path, norm=norm), make_images(6, shape)
    inputs[0], inputs[1] = 0.0, 1.0
    attacked = attack(make_model(classes, shape), inputs, labels(6, classes))
    assert attacked.shape == inputs.shape
    assert attacked.dtype == torch.float32
    assert not attacked.requires_grad
    assert attacked.min() >= 0
    assert attacked.max() <= 1
    if attack.threat.epsilon is not None:
        assert size(attacked - inputs, attack.threat.norm).max() <= attack.threat.epsilon + 1e-6


@every_attack
def test_an_attack_changes_something(path: Path, build: Any, make_model: Any, make_images: Any) -> None:
    # Enough images for some to be right at first, and to have a worse place near them, whatever the weights.
    model, inputs = make_model(3, SHAPE), make_images(16, SHAPE)
    targets = predicted_classes(model(inputs)).detach()
    assert not torch.equal(build(path)(model, inputs, targets), inputs)


@every_attack
def test_everything_borrowed_is_given_back(
    path: Path, build: Any, make_model: Any, make_images: Any, assert_untouched: Any
) -> None:
    model, inputs, targets = make_model(3, SHAPE), make_images(4, SHAPE), labels(4, 3)
    with assert_untouched(model, inputs, targets):
        build(path)(model, inputs, targets, rng=SampleKeys(1, torch.arange(4)))


@every_attack
@pytest.mark.parametrize("at", [1, 2])
def test_everything_borrowed_is_given_back_after_an_exception(
    path: Path, *, at: int, build: Any, make_model: Any, make_images: Any, assert_untouched: Any, boom: type[Exception]
) -> None:
    model, inputs, targets = make_model(3, SHAPE), make_images(4, SHAPE), labels(4, 3)
    model[-1].at = at
    with assert_untouched(model, inputs, targets), suppress(boom):
        build(path)(model, inputs, targets)


@every_attack
def test_a_model_that_draws_random_numbers_leaves_the_global_generator_alone(
    path: Path, *, build: Any, make_affine: Any, make_images: Any, assert_untouched: Any
) -> None:
    class Noisy(nn.Module):
        def forward(self, logits: Tensor) -> Tensor:
            return logits + torch.rand(())

    model, inputs, targets = make_affine(3, SHAPE).append(Noisy()), make_images(4, SHAPE), labels(4, 3)
    with assert_untouched(model, inputs, targets):
        build(path)(model, inputs, targets)


@every_attack
@every_norm
def test_the_result_depends_neither_on_the_size_nor_on_the_order_of_the_batch(
    path: Path, norm: str, *, build: Any, make_model: Any, make_images: Any
) -> None:
    attack, model = build(path, norm=norm), make_model(3, SHAPE)
    inputs, targets, keys = make_images(6, SHAPE), labels(6, 3), SampleKeys(3, torch.arange(40, 46))
    together = attack(model, inputs, targets, rng=keys)
    for rows in torch.tensor([4, 1, 5, 0, 2, 3]).split([1, 3, 2]):
        part = attack(model, inputs[rows], targets[rows], rng=keys.take(rows))
        assert torch.allclose(part, together[rows], atol=1e-5)


@every_attack
def test_a_frozen_model_and_a_caller_without_gradients_make_no_difference(
    path: Path, *, build: Any, make_model: Any, make_images: Any
) -> None:
    attack, model, inputs, targets = build(path), make_model(3, SHAPE), make_images(4, SHAPE), labels(4, 3)
    expected = attack(model, inputs, targets)
    model.requires_grad_(False)
    with torch.no_grad():
        assert torch.equal(attack(model, inputs, targets), expected)


@every_attack
@every_norm
def test_models_in_double_precision_can_be_attacked(path: Path, norm: str, build: Any, make_model: Any, make_images: Any) -> None:
    model, inputs = make_model(3, SHAPE).double(), make_images(4, SHAPE).double()
    targets = predicted_classes(model.eval()(inputs)).detach()
    attacked = build(path, norm=norm)(model, inputs, targets)
    assert attacked.dtype == torch.float64
    assert attacked.isfinite().all()


@every_attack
@every_norm
def test_a_constant_model_gives_finite_inputs(path: Path, norm: str, build: Any, make_model: Any, make_images: Any) -> None:
    model, inputs = make_model(3, SHAPE), make_images(4, SHAPE)
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    assert build(path, norm=norm)(model, inputs, labels(4, 3)).isfinite().all()


@every_attack_of_numbers
@every_norm
@pytest.mark.parametrize("classes", [1, 3])
def test_tables_can_be_attacked(path: Path, norm: str, classes: int, build: Any, make_affine: Any) -> None:
    attack = build(path, norm=norm)
    inputs = 5 * torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    attacked = attack(make_affine(classes, (6,)), inputs, labels(4, classes))
    assert attacked.shape == inputs.shape
    if attack.threat.epsilon is not None:
        assert size(attacked - inputs, attack.threat.norm).max() <= attack.threat.epsilon + 1e-6


@every_attack
@every_norm
@pytest.mark.parametrize("classes", [1, 3])
def test_an_attack_lowers_the_accuracy_of_an_affine_model_and_noise_hardly_does(
    path: Path, norm: str, *, classes: int, build: Any, make_affine: Any, make_images: Any
) -> None:
    model, inputs = make_affine(classes, SHAPE), make_images(200, SHAPE)
    targets = predicted_classes(model(inputs))
    attacked = build(path, norm=norm, epsilon={"linf": 0.1, "l2": 1.0}[norm])(model, inputs, targets)
    accuracy = (predicted_classes(model(attacked)) == targets).float().mean()
    assert accuracy > 0.8 if path.stem == "noise" else accuracy < 0.5


@every_real_attack
def test_goals_pull_towards_their_class_and_leave_alone_what_is_taken_for_it_already(
    path: Path, build: Any, make_affine: Any, make_images: Any
) -> None:
    model, inputs, goals = make_affine(3, SHAPE), make_images(50, SHAPE), torch.full((50,), 2)
    attacked = build(path)(model, inputs, labels(50, 3), goals=goals)
    there, arrived = (predicted_classes(model(images)) == 2 for images in (inputs, attacked))
    gain = class_logits(model(attacked)).softmax(dim=1)[:, 2] - class_logits(model(inputs)).softmax(dim=1)[:, 2]
    assert 0 < there.sum() < 50
    assert (gain > 0)[~arrived].all()
    assert gain[~there].mean() > 0.02
    assert torch.equal(attacked[there], inputs[there])


@every_real_attack
@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10])
def test_what_is_misclassified_already_comes_back_as_it_was(
    path: Path, classes: int, build: Any, make_model: Any, make_images: Any
) -> None:
    model, inputs = make_model(classes, SHAPE), make_images(6, SHAPE)
    right = predicted_classes(model.eval()(inputs))
    targets = torch.where(torch.arange(6) < 3, right, (right + 1) % max(classes, 2))
    attacked = build(path)(model, inputs, targets)
    assert torch.equal(attacked[3:], inputs[3:])
    # The untrained net of one logit answers the same everywhere, so whoever sees answers only has nowhere to go.
    if path.stem != "hopskipjump" or classes > 1:
        assert not torch.equal(attacked[:3], inputs[:3])


@every_iterated_attack
@every_norm
def test_what_fails_comes_back_no_better_classified_than_it_was(
    path: Path, norm: str, *, build: Any, make_model: Any, make_images: Any
) -> None:
    model, inputs = make_model(4, SHAPE), make_images(20, SHAPE)
    targets = predicted_classes(model.eval()(inputs))
    attacked = build(path, norm=norm, epsilon=1e-4)(model, inputs, targets)
    before, after = (truth_lead(model(images), targets) for images in (inputs, attacked))
    assert (after <= before + 1e-6).all()


@every_real_attack
@every_norm
@pytest.mark.parametrize("classes", [1, 2, 3, 4, 10])
def test_on_an_affine_model_nothing_out_of_reach_is_broken(
    path: Path, norm: str, *, classes: int, build: Any, make_affine: Any, make_images: Any
) -> None:
    model, inputs = make_affine(classes, SHAPE), make_images(100, SHAPE)
    targets = predicted_classes(model(inputs))
    distances = affine_distances(model, inputs, norm)
    attack = build(path, norm=norm, epsilon=float(distances.median()))
    attacked = attack(model, inputs, targets)
    fooled = predicted_classes(model(attacked)) != targets
    assert (size(attacked - inputs, norm)[fooled] >= 0.999 * distances[fooled]).all()


@every_real_attack
def test_images_stay_in_the_memory_format_that_they_came_in(path: Path, build: Any, make_model: Any, make_images: Any) -> None:
    inputs = make_images(4, SHAPE).to(memory_format=torch.channels_last)
    attacked = build(path)(make_model(3, SHAPE), inputs, labels(4, 3))
    assert attacked.is_contiguous(memory_format=torch.channels_last)


@every_attack
def test_images_that_were_normalised_before_are_refused(path: Path, build: Any, make_model: Any, make_images: Any) -> None:
    with pytest.raises(ValueError, match=r"images must be in \[0, 1\], got"):
        build(path)(make_model(3, SHAPE), 2 * make_images(4, SHAPE) - 1, labels(4, 3))


@every_real_attack
def test_a_class_that_the_model_does_not_have_is_refused(path: Path, build: Any, make_model: Any, make_images: Any) -> None:
    with pytest.raises(ValueError, match="targets must be class numbers from 0 to 2, got 0 … 3"):
        build(path)(make_model(3, SHAPE), make_images(4, SHAPE), torch.arange(4))


@every_real_attack
def test_outputs_that_are_no_numbers_are_an_error_and_not_robustness(
    path: Path, build: Any, make_affine: Any, make_images: Any
) -> None:
    class Broken(nn.Module):
        def forward(self, logits: Tensor) -> Tensor:
            return logits / 0

    with pytest.raises(ComputeError, match="not finite"):
        build(path)(make_affine(3, SHAPE).append(Broken()), make_images(4, SHAPE), labels(4, 3))


@every_attack
def test_an_empty_batch_comes_back_empty(path: Path, build: Any, make_model: Any, make_images: Any) -> None:
    assert build(path)(make_model(3, SHAPE), make_images(0, SHAPE), labels(0, 3)).shape == (0, *SHAPE)
