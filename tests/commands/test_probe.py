"""A fit on features: the same examples, without the body."""

import pytest
import torch

from dlcli.classifier import Preprocessing
from dlcli.commands.bundle import load_bundle
from dlcli.commands.console import Talk
from dlcli.commands.models import assemble
from dlcli.commands.probe import on_features
from dlcli.commands.training import prepare
from dlcli.config.compose import compose
from dlcli.config.schema import TrainSettings, checked_settings
from dlcli.errors import Interrupted, UsageError

TALK = Talk(quiet=True)


def job(model: str):
    found = checked_settings("train", compose("train", ["data=digits", "limit_train=60", *model.split()]))
    assert isinstance(found, TrainSettings)
    bundle = load_bundle(found)
    torch.manual_seed(0)
    net = assemble(found.model, bundle.spec, Preprocessing.of(bundle.spec))
    return prepare(found, net, bundle, node=found.model, device=torch.device("cpu"), talk=TALK)


def test_parts_see_features_and_the_bundle_keeps_its_images() -> None:
    own = job("model=mlp model.widths=[16]")
    probe = on_features(own, "net.head", talk=TALK)
    assert next(iter(probe.parts.train.batches(torch.arange(3), 3))).inputs.shape == (3, 16)
    assert probe.parts.val is not None
    assert len(probe.parts.val) == len(own.bundle.val)
    assert probe.bundle is own.bundle
    assert probe.parts.evaluated is own.model.get_submodule("net.head")


def test_a_network_without_a_linear_head_cannot_be_probed() -> None:
    with pytest.raises(UsageError, match="cannot be probed"):
        on_features(job("model=torchvision model.name=squeezenet1_1 data=mnist"), "net.net.classifier.1", talk=TALK)


def test_a_signal_stops_it() -> None:
    def check() -> None:
        raise Interrupted("stopped", signal_number=2)

    with pytest.raises(Interrupted):
        on_features(job("model=mlp model.widths=[16]"), "net.head", talk=TALK, check=check)
