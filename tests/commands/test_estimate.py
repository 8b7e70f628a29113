"""How long finetuning will take."""

import pytest
import torch

from dlcli.commands.estimate import Estimate, estimate
from dlcli.config.compose import compose
from dlcli.config.schema import FinetuneSettings, checked_settings
from dlcli.contracts import DataBundle, DataSpec
from dlcli.data.memory import MemorySplit
from dlcli.engine.cost import Cost

COST = Cost(train=0.01, infer=0.002)
SPEC = DataSpec(name="x", shape=(1, 2, 2), classes=("a", "b"), mean=(0.0,), std=(1.0,), epsilon={})


def settings(*overrides: str) -> FinetuneSettings:
    found = checked_settings("finetune", compose("finetune", ["backbone=resnet18", "trainer.epochs=5", *overrides]))
    assert isinstance(found, FinetuneSettings)
    return found


def split(count: int) -> MemorySplit:
    return MemorySplit(torch.zeros(count, 1, 2, 2), torch.arange(count) % 2)


BUNDLE = DataBundle(SPEC, split(800), split(200), split(2000))
EPOCHS = 5 * (800 * 0.01 + 200 * 0.002)
PROBE = 1000 * 0.002
TEST = 2200 * 0.002


@pytest.mark.parametrize(
    ("overrides", "seconds"),
    [
        ([], PROBE + 2 * EPOCHS + 2 * TEST),
        (["baseline=false"], PROBE + EPOCHS + TEST),
        (["baseline=false", "strategy=full"], EPOCHS + TEST),
        (["baseline=false", "strategy=linear_probe"], PROBE + TEST),
        (["weights=none"], EPOCHS + TEST),
    ],
)
def test_it_adds_up_what_will_be_run(overrides: list[str], seconds: float) -> None:
    assert estimate(COST, settings(*overrides), BUNDLE).seconds == pytest.approx(seconds)


def test_its_words_name_the_parts() -> None:
    said = estimate(COST, settings(), BUNDLE).words()
    assert said == "about 105 s (finetuning 44, from scratch 42, testing 9, loading and pictures 10)"
    assert "scratch" not in estimate(COST, settings("baseline=false"), BUNDLE).words()


def test_no_part_is_said_to_take_no_time() -> None:
    assert Estimate(0.1, 0.1, 0.1).words() == "about 11 s (finetuning 1, from scratch 1, testing 1, loading and pictures 10)"
