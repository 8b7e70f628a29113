"""Watching a fit: the numbers are what they say, and training does not notice."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcli.augment.identity import Identity
from dlcli.classifier import Classifier
from dlcli.config.build import build
from dlcli.config.compose import compose
from dlcli.data.memory import MemorySplit
from dlcli.engine.fit import fit
from dlcli.engine.state import Parts, Plan, Progress
from dlcli.engine.watch import Watch
from dlcli.losses.supervised import Supervised
from dlcli.optim.eager import eager
from dlcli.optim.schedules import Constant

PLAN = Plan(
    epochs=2,
    batch_size=4,
    eval_batch_size=8,
    accumulate=1,
    precision="fp32",
    clip_norm=0.5,
    patience=None,
    max_time=None,
    save_every=None,
    log_every=2,
    monitor="last",
    seed=0,
)


def convolutional() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(144, 3), nn.Tanh()
    )


def parts(model: nn.Module, train: MemorySplit | None = None, *, lr: float = 0.05) -> Parts:
    generator = torch.Generator().manual_seed(0)
    train = train or MemorySplit(torch.rand(22, 1, 6, 6, generator=generator), torch.arange(22) % 3)
    optimizer = eager(torch.optim.SGD)(model.parameters(), lr=lr, momentum=0.9)  # type: ignore[call-arg]
    for group in optimizer.param_groups:
        group["initial_lr"] = lr
    return Parts(
        model=model,
        forward=model,
        train=train,
        val=None,
        augment=Identity(),
        objective=Supervised(nn.CrossEntropyLoss()),
        optimizer=optimizer,
        schedule=Constant(total_steps=100),
        score=lambda _: {},
        device=torch.device("cpu"),
    )


def watched(own: Parts, plan: Plan = PLAN) -> list[tuple[int, dict[str, float]]]:
    """The numbers of each measured step of a fit."""
    own.observer = watch = Watch(own.optimizer, every=plan.log_every)
    progress, found = Progress(), []
    for _ in fit(own, plan, progress):
        if numbers := watch.take():
            found.append((progress.step, dict(numbers)))
    return found


class Passed(nn.Module):
    """Gives its input on through one activation and a linear layer of ones."""

    def __init__(self, activation: nn.Module, width: int) -> None:
        super().__init__()
        self.activation = activation
        self.head = nn.Linear(width, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        passed = self.activation(inputs)
        while passed.ndim > 2:
            passed = passed.mean(dim=-1)
        head: Tensor = self.head(passed)
        return head


def idle(activation: nn.Module, inputs: Tensor, width: int) -> float:
    model = Passed(activation, width)
    watch = Watch(torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    model(inputs).sum().backward()
    watch(model, inputs, 0)
    (value,) = [value for name, value in watch.take() if name in {"watch/dead/activation", "watch/saturated/activation"}]
    return value


# Training does not notice


def test_a_watched_fit_is_bit_for_bit_the_fit_that_nobody_watches() -> None:
    plain, seen = parts(convolutional()), parts(convolutional())
    seen.observer = Watch(seen.optimizer, every=1)
    assert list(fit(plain, PLAN, Progress())) == list(fit(seen, PLAN, Progress()))
    ours, theirs = plain.model.state_dict(), seen.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    momenta = [[own.optimizer.state[p]["momentum_buffer"] for p in own.model.parameters()] for own in (plain, seen)]
    assert all(torch.equal(*pair) for pair in zip(*momenta, strict=True))


def test_no_hook_outlives_the_fit() -> None:
    own = parts(convolutional())
    watched(own)
    assert not any(module._forward_hooks for module in own.model.modules())
    assert not own.optimizer._optimizer_step_post_hooks


def test_steps_between_are_left_alone() -> None:
    calls = []
    own = parts(convolutional())
    own.model[0].register_forward_hook(lambda *_: calls.append(1))  # type: ignore[index]
    found = watched(own)
    assert [step for step, _ in found] == [2, 4, 6, 8, 10, 12]
    assert len(calls) == 12 + 6  # one more forward pass at each measured step


def test_hooks_and_buffers_come_back_also_after_an_exception() -> None:
    model = convolutional()
    watch = Watch(torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RuntimeError):
        watch(model, torch.rand(2, 1, 5, 5), 0)  # the linear layer wants 6 x 6 pixels
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


# The numbers


def test_norms_are_those_of_the_gradient_and_the_weights_of_each_layer() -> None:
    model = convolutional()
    inputs = torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    watch = Watch(torch.optim.SGD(model.parameters(), lr=0.1), every=1)
    model(inputs).square().sum().backward()
    watch(model, inputs, 0)
    found = dict(watch.take())
    for name in ("0", "5"):
        layer = model.get_submodule(name)
        flat = torch.cat([parameter.flatten() for parameter in layer.parameters()])
        gradient = torch.cat([parameter.grad.flatten() for parameter in layer.parameters() if parameter.grad is not None])
        assert found[f"watch/weight_norm/{name}"] == pytest.approx(flat.norm().item(), rel=1e-6)
        assert found[f"watch/grad_norm/{name}"] == pytest.approx(gradient.norm().item(), rel=1e-6)
    assert not any(name.endswith("/1") for name in found), "a norm is no layer of its own"


def test_the_update_ratio_of_plain_descent_is_the_rate_times_gradient_over_weight() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    own = parts(model, lr=0.02)
    own.optimizer.param_groups[0]["momentum"] = 0.0
    found = watched(own, Plan(**{**PLAN.__dict__, "clip_norm": None, "log_every": 1}))
    assert len(found) == 12
    for _, numbers in found:
        expected = 0.02 * numbers["watch/grad_norm/1"] / numbers["watch/weight_norm/1"]
        assert numbers["watch/update_ratio/1"] == pytest.approx(expected, rel=1e-3)


def test_gradient_norms_are_those_before_clipping() -> None:
    found = watched(parts(convolutional()), Plan(**{**PLAN.__dict__, "clip_norm": 1e-6}))
    assert all(numbers["watch/grad_norm/5"] > 1e-3 for _, numbers in found)
    assert all(numbers["watch/update_ratio/5"] < 1e-6 for _, numbers in found)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU6(), nn.ReLU(inplace=True)])
def test_a_unit_is_dead_that_is_zero_for_every_example(activation: nn.Module) -> None:
    inputs = torch.tensor([[1.0, -1.0, -2.0, 0.0], [-1.0, -1.0, 3.0, -1.0]])
    assert idle(activation, inputs, 4) == 0.5


def test_a_channel_is_dead_that_is_zero_at_every_pixel_of_every_image() -> None:
    images = -torch.ones(3, 4, 5, 5)
    images[1, 2, 0, 4] = 0.5
    assert idle(nn.ReLU(), images, 4) == 0.75


def test_a_unit_of_a_sequence_is_its_last_dimension() -> None:
    tokens = -torch.ones(2, 7, 5)
    tokens[1, 3, 0] = 1.0
    watch = Watch(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1), every=1)
    watch(nn.Sequential(nn.ReLU()), tokens, 0)
    assert dict(watch.take()) == {"watch/dead/0": pytest.approx(4 / 5)}


@pytest.mark.parametrize(
    ("activation", "inputs"),
    [(nn.Sigmoid(), [-2.9, -3.0, 0.0, 3.0]), (nn.Tanh(), [1.4, -1.5, 1.5, 0.1])],
)
def test_a_value_is_saturated_within_a_twentieth_of_the_ends(activation: nn.Module, inputs: list[float]) -> None:
    assert idle(activation, torch.tensor([inputs]), 4) == 0.5  # sigmoid(±2.94) and tanh(±1.47) are the borders


def test_an_activation_that_is_called_twice_counts_all_its_units() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, inputs: Tensor) -> Tensor:
            return self.relu(self.relu(inputs) - 1)  # type: ignore[no-any-return]

    watch = Watch(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1), every=1)
    watch(Twice(), torch.tensor([[0.5, 2.0, -1.0, 3.0]]), 0)
    assert dict(watch.take()) == {"watch/dead/relu": pytest.approx((1 + 2) / 8)}


def test_weights_that_are_frozen_are_no_layers() -> None:
    model = convolutional()
    model[0].requires_grad_(False)  # type: ignore[index]
    (_, numbers), *_ = watched(parts(model))
    assert {name.rsplit("/", 1)[1] for name in numbers if "norm" in name} == {"5"}


def test_a_step_that_a_loss_scaler_leaves_out_leaves_no_hook() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watch = Watch(optimizer, every=1)
    for step in range(3):
        model(torch.ones(1, 2)).sum().backward()
        watch(model, torch.ones(1, 2), step)
    assert len(optimizer._optimizer_step_post_hooks) == 1


# What it is for


def first_over_last(name: str) -> float:
    """The gradient of the first layer relative to the last one's, geometric mean over the first steps on digits."""
    bundle = build("data", compose("train", ["data=digits"])["data"]).load()
    torch.manual_seed(0)
    model = Classifier(bundle.spec, build("model", compose("train", [f"model={name}"])["model"], spec=bundle.spec))
    plan = Plan(**{**PLAN.__dict__, "epochs": 1, "batch_size": 64, "log_every": 1})
    ratios = []
    for _, numbers in watched(parts(model, bundle.train, lr=0.01), plan):
        norms = [value for name, value in numbers.items() if name.startswith("watch/grad_norm/")]
        ratios.append(norms[0] / norms[-1])
    assert len(ratios) == 20
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def test_gradients_vanish_in_a_deep_sigmoid_network_and_reach_the_first_layer_of_its_cure() -> None:
    assert first_over_last("deep_sigmoid") < 1e-4
    assert first_over_last("deep_relu") > 0.1


def test_a_recurring_observer_is_any_callable() -> None:
    seen: list[tuple[int, Any]] = []
    own = parts(convolutional())
    own.observer = lambda model, inputs, step: seen.append((step, (inputs.shape, model[5].weight.grad is not None)))
    list(fit(own, PLAN, Progress()))
    assert [step for step, _ in seen] == list(range(12))
    assert seen[0][1] == ((4, 1, 6, 6), True)
