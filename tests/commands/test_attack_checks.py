"""What makes an attack pointless."""

import pytest
import torch
from torch import Tensor, nn

from dlcli.attacks.fab_t import FABT
from dlcli.attacks.noise import Noise
from dlcli.attacks.pgd import PGD
from dlcli.attacks.square import Square
from dlcli.commands.attack_checks import refuse_one_class, refuse_without_gradient
from dlcli.contracts import Attack, DataSpec
from dlcli.data.memory import MemorySplit
from dlcli.errors import DataError, UsageError

# The labels do not matter: these are all wrong for a model that answers 0.
SPLIT = MemorySplit(torch.rand(80, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.ones(80))


class Fires(nn.Module):
    """Rosenblatt's threshold on the mean, without a gradient."""

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs.flatten(1).mean(dim=1, keepdim=True) > 0.9).float()


@pytest.mark.parametrize("attack", [PGD(epsilon=0.1), FABT(steps=3)], ids=lambda attack: type(attack).__name__)
def test_an_attack_that_follows_gradients_is_refused_where_there_are_none_and_others_are_named(attack: Attack) -> None:
    with pytest.raises(UsageError, match=f"step has no gradient at any of 64 examples, and {type(attack).__name__}") as caught:
        refuse_without_gradient(Fires(), attack, SPLIT, name="step")
    assert "square" in str(caught.value.hint)
    assert "noise" in str(caught.value.hint)


@pytest.mark.parametrize("attack", [Square(epsilon=0.1, queries=3), Noise(epsilon=0.1)], ids=lambda attack: type(attack).__name__)
def test_an_attack_that_looks_at_answers_only_is_not(attack: Attack) -> None:
    refuse_without_gradient(Fires(), attack, SPLIT, name="step")


def test_a_model_with_a_gradient_is_asked_no_further() -> None:
    refuse_without_gradient(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), PGD(epsilon=0.1), SPLIT, name="linear")


def test_a_model_of_one_class_is_refused() -> None:
    spec = DataSpec(name="toy", shape=(1, 4, 4), classes=("only",), mean=(0.5,), std=(0.5,), epsilon={})
    with pytest.raises(DataError, match="knows 1 class"):
        refuse_one_class(spec, name="lonely")
