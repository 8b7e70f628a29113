"""Running an attack: what breaks its promises is refused, what is wrong already is left alone, and passes are counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from dlcli.contracts import Threat
from dlcli.data.memory import MemorySplit
from dlcli.engine.perturb import AttackReport, perturb
from dlcli.errors import ComputeError, DataError
from dlcli.randomness import SampleKeys


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Changes the inputs by a function."""

    change: Callable[[Tensor, SampleKeys], Tensor]
    norm: str = "linf"
    epsilon: float | None = 0.1
    kind: ClassVar[str] = "attack"

    @property
    def threat(self) -> Threat:
        return Threat(self.norm, self.epsilon)

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: Any = None, goals: Any = None) -> Tensor:
        return self.change(inputs, rng)


class Brightness(nn.Module):
    """Class 1 where the mean is above one half."""

    def forward(self, inputs: Tensor) -> Tensor:
        mean = inputs.flatten(1).mean(dim=1)
        return torch.stack([torch.full_like(mean, 0.5), mean], dim=1)


def split() -> MemorySplit:
    """Four grey images of brightness 0.2, 0.45, 0.55, 0.8; the last one has the wrong label."""
    images = torch.tensor([0.2, 0.45, 0.55, 0.8])[:, None, None, None].expand(4, 1, 2, 2).clone()
    return MemorySplit(images, torch.tensor([0, 0, 1, 0]))


def attacked(change: Callable[[Tensor, SampleKeys], Tensor], *, size: int = 4, **options: Any) -> list[AttackReport]:
    return list(perturb(Brightness(), Moved(change=change, **options), split(), batch_size=size, seed=0))


def test_an_attack_is_scored_on_what_the_model_says_before_and_after() -> None:
    (report,) = attacked(lambda inputs, _: inputs + 0.1)
    assert report.clean.tolist() == [0, 0, 1, 1]
    assert report.attacked.tolist() == [0, 1, 1, 1]


def test_what_is_misclassified_already_comes_back_as_it_was() -> None:
    (report,) = attacked(lambda inputs, _: inputs + 0.1)
    torch.testing.assert_close(report.distances, torch.tensor([0.1, 0.1, 0.1, 0.0]))
    assert torch.equal(report.adversarial[3], report.inputs[3])


def test_a_null_changes_every_example_and_may_put_one_right() -> None:
    darker = Moved(change=lambda inputs, _: inputs - 0.4, epsilon=0.5)
    (report,) = perturb(Brightness(), darker, split().select(torch.tensor([3])), batch_size=4, seed=0, spare_misclassified=False)
    assert report.clean.tolist() == [1]  # its label is 0
    assert report.attacked.tolist() == [0]


@pytest.mark.parametrize("spared", [True, False])
def test_outputs_that_are_no_numbers_name_no_class_before_and_after(spared: bool) -> None:
    class Root(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return Brightness()(inputs - 0.3).sqrt()

    dark, bright = (split().select(torch.tensor([row])) for row in (0, 1))
    darker = Moved(change=lambda inputs, _: inputs - 0.3, epsilon=0.3)
    for images in (dark, bright):
        with pytest.raises(ComputeError, match="not numbers"):
            list(perturb(Root(), darker, images, batch_size=4, seed=0, spare_misclassified=spared))


def test_distances_are_in_the_norm_of_the_threat() -> None:
    (report,) = attacked(lambda inputs, _: inputs + 0.1, norm="l2", epsilon=0.2)
    torch.testing.assert_close(report.distances[:3], torch.full((3,), 0.2))  # 0.1 · sqrt(4 pixels)


def test_draws_do_not_depend_on_the_batches_nor_on_who_was_left_out() -> None:
    def noise(inputs: Tensor, rng: SampleKeys) -> Tensor:
        return inputs + 0.05 * rng.uniform("noise", 0, (1, 2, 2))

    whole = torch.cat([report.adversarial for report in attacked(noise)])
    single = torch.cat([report.adversarial for report in attacked(noise, size=1)])
    assert torch.equal(whole, single)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda inputs, _: inputs + 0.1001, "left its linf ball: 0.1001"),
        (lambda inputs, _: inputs - 0.3, r"left the box \[0, 1\]"),
        (lambda inputs, _: inputs * torch.nan, "not finite"),
        (lambda inputs, _: inputs + torch.inf, "not finite"),
        (lambda inputs, _: inputs[:1], r"returned shape \(1, 1, 2, 2\); expected \(3, 1, 2, 2\)"),
    ],
)
def test_an_attack_that_breaks_its_promise_is_refused_and_not_repaired(change: Any, message: str) -> None:
    with pytest.raises(ComputeError, match=message):
        attacked(change)


def test_rounding_at_the_border_of_the_ball_and_the_box_is_no_offence() -> None:
    assert attacked(lambda inputs, _: inputs + 0.1 * (1 + 5e-7))
    assert attacked(lambda inputs, _: torch.full_like(inputs, 1 + 5e-7), epsilon=None)


def test_an_attack_without_a_radius_may_go_as_far_as_the_box() -> None:
    (report,) = attacked(lambda inputs, _: torch.ones_like(inputs), epsilon=None)
    torch.testing.assert_close(report.distances[:3], torch.tensor([0.8, 0.55, 0.45]))


def test_passes_are_counted_per_example() -> None:
    @dataclass(frozen=True, kw_only=True)
    class TwoSteps(Moved):
        def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: Any = None, goals: Any = None) -> Tensor:
            for _ in range(2):
                own = inputs.clone().requires_grad_()
                torch.autograd.grad(model(own).sum(), own)
            return inputs

    (report,) = perturb(Brightness(), TwoSteps(change=lambda inputs, _: inputs), split(), batch_size=4, seed=0)
    assert report.forwards == 4 + 2 * 3 + 4  # clean, two steps on the three that are right, attacked
    assert report.backwards == 2 * 3


def test_the_check_comes_before_each_batch() -> None:
    def check() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(perturb(Brightness(), Moved(change=lambda inputs, _: inputs), split(), batch_size=4, seed=0, check=check))


@pytest.mark.parametrize("size", [1, 3, 4])
def test_predictions_that_are_known_are_taken_and_not_asked_for_again(size: int) -> None:
    known = torch.tensor([0, 1, 1, 0])  # not what the model says, so that it shows which are used
    attack = Moved(change=lambda inputs, _: inputs + 0.1)
    reports = list(perturb(Brightness(), attack, split(), batch_size=size, seed=0, clean=known))
    assert torch.cat([report.clean for report in reports]).equal(known)
    assert torch.cat([report.distances for report in reports]).gt(0.05).tolist() == [True, False, True, True]
    assert sum(report.forwards for report in reports) == 4  # after the attack only


def test_predictions_of_other_examples_are_refused() -> None:
    attack = Moved(change=lambda inputs, _: inputs)
    with pytest.raises(ValueError, match="one class for each of 4 examples, got 3"):
        list(perturb(Brightness(), attack, split(), batch_size=4, seed=0, clean=torch.zeros(3, dtype=torch.int64)))


@dataclass(frozen=True, kw_only=True)
class Obedient(Moved):
    """Turns to its goal's brightness: dark for class 0, bright for class 1."""

    def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: Any = None, goals: Any = None) -> Tensor:
        return goals[:, None, None, None].expand_as(inputs).float()


def test_goals_are_chosen_from_clean_logits_and_keys_and_reach_the_attack() -> None:
    seen = []

    def goals(logits: Tensor, targets: Tensor, keys: SampleKeys) -> Tensor:
        seen.append((logits, targets.tolist(), keys.index.tolist()))
        return torch.tensor([1, 0, 0, 1])

    obedient = Obedient(change=lambda inputs, _: inputs, epsilon=None)
    (report,) = perturb(Brightness(), obedient, split(), batch_size=4, seed=0, goals=goals)
    torch.testing.assert_close(seen[0][0], Brightness()(report.inputs))
    assert seen[0][1:] == ([0, 0, 1, 0], [0, 1, 2, 3])
    # The first and third go to their goal; the second is of it already, the fourth was wrong before.
    assert report.attacked.tolist() == [1, 0, 0, 1]
    assert report.distances.gt(0).tolist() == [True, False, True, False]
    assert report.eligible.tolist() == report.success.tolist() == [True, False, True, False]


def test_without_goals_any_error_of_what_was_right_is_a_success() -> None:
    (report,) = attacked(lambda inputs, _: inputs + 0.1)
    assert report.eligible.tolist() == [True, True, True, False]
    assert report.success.tolist() == [False, True, False, False]


def test_a_judge_is_asked_before_and_after_and_the_attack_looks_at_the_model() -> None:
    class Darkness(Brightness):
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(1 - inputs)

    asked = []

    @dataclass(frozen=True, kw_only=True)
    class Asking(Moved):
        def __call__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, rng: Any = None, goals: Any = None) -> Tensor:
            asked.append(model(inputs).argmax(dim=1).tolist())
            return inputs + 0.1

    judge = Brightness()
    attack = Asking(change=lambda inputs, _: inputs)
    (report,) = perturb(Darkness(), attack, split(), batch_size=4, seed=0, judge=judge)
    assert asked == [[1, 1, 0]]  # those that the judge has right, as the model sees them
    assert report.clean.tolist() == [0, 0, 1, 1]
    assert report.attacked.tolist() == [0, 1, 1, 1]
    assert report.forwards == 4 + 3 + 4


@pytest.mark.parametrize("wrong", [-0.5, 1.5, torch.nan])
def test_images_that_were_normalised_before_are_the_datas_fault(wrong: float) -> None:
    images = split()
    images.inputs[1] = wrong
    with pytest.raises(DataError, match=r"expected \[0, 1\]"):
        list(perturb(Brightness(), Moved(change=lambda inputs, _: inputs), images, batch_size=4, seed=0))


@pytest.mark.parametrize("target", [-1, 2])
def test_a_true_class_that_the_model_does_not_have_is_the_datas_fault(target: int) -> None:
    labelled = MemorySplit(split().inputs, torch.tensor([0, 0, target, 0]))
    with pytest.raises(DataError, match="the model has 2, from 0 to 1"):
        list(perturb(Brightness(), Moved(change=lambda inputs, _: inputs), labelled, batch_size=4, seed=0))
