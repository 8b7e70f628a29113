"""What ``dl explain`` writes down, and what it says about layers."""

import io

import numpy as np
import pytest
import torch

from dlcli.commands.console import Talk
from dlcli.commands.explain import _layer, _metrics, _npz
from dlcli.commands.models import load_model
from dlcli.commands.subject import Subject
from dlcli.data.memory import MemorySplit
from dlcli.engine.attribute import ExplainReport
from dlcli.errors import UsageError
from dlcli.explainers.gradcam import GradCAM
from dlcli.explainers.saliency import Saliency

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def subject() -> Subject:
    split = MemorySplit(torch.zeros(2, 1, 28, 28, dtype=torch.uint8), torch.tensor([0, 1]))
    return Subject(load_model("builtin:mnist", which="best", device=CPU, talk=Talk(quiet=True)), split, CPU)


def report() -> ExplainReport:
    maps = torch.stack([torch.zeros(2, 2), torch.tensor([[0.0, 1.0], [0.0, -2.0]])])
    predicted, targets = torch.tensor([0, 1]), torch.tensor([0, 0])
    return ExplainReport(torch.zeros(2, 1, 2, 2), maps, targets, predicted, torch.tensor([0.9, 0.6]), torch.tensor([3, 5]))


def test_the_archive_holds_raw_signed_maps_with_what_they_belong_to_and_no_pickle() -> None:
    archive = np.load(io.BytesIO(_npz(report())), allow_pickle=False)
    assert archive["maps"].min() == -2.0
    assert archive["index"].tolist() == [3, 5]
    assert archive["predicted"].tolist() == [0, 1]


def test_empty_maps_and_accuracy_are_counted() -> None:
    metrics = _metrics(report(), labelled=True)
    assert metrics["explain/empty_maps"].value == 0.5
    assert metrics["explain/accuracy"].value == 0.5


def test_without_labels_no_accuracy_is_claimed() -> None:
    assert set(_metrics(report(), labelled=False)) == {"explain/empty_maps"}


def test_the_layer_that_is_looked_at_has_a_name_of_the_model(subject: Subject) -> None:
    name = _layer(GradCAM(), subject)
    assert name in dict(subject.loaded.model.named_modules())


def test_an_explainer_without_layers_names_none(subject: Subject) -> None:
    assert _layer(Saliency(), subject) is None


def test_a_wrong_layer_is_the_users_to_mend_and_a_near_one_is_named(subject: Subject) -> None:
    with pytest.raises(UsageError, match=r"did you mean 'net\.features\.2\.conv'"):
        _layer(GradCAM(layer="net.features.2.konv"), subject)
