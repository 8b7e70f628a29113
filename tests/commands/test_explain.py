"""What ``dl explain`` writes down, and what it says about layers."""

import json

import pytest
import torch

from dlcli.commands.console import Talk
from dlcli.commands.explain import _layer, _metrics
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


QUIET = Talk(quiet=True)


def report() -> ExplainReport:
    maps = torch.stack([torch.zeros(2, 2), torch.tensor([[0.0, 1.0], [0.0, -2.0]])])
    predicted, targets = torch.tensor([0, 1]), torch.tensor([0, 0])
    chances, index = torch.tensor([0.9, 0.6]), torch.tensor([3, 5])
    return ExplainReport(torch.zeros(2, 1, 2, 2), maps, targets, predicted, predicted, chances, index)


def test_empty_maps_and_accuracy_are_counted() -> None:
    metrics = _metrics(report(), labelled=True)
    assert metrics["explain/empty_maps"].value == 0.5
    assert metrics["explain/accuracy"].value == 0.5


def test_without_labels_no_accuracy_is_claimed() -> None:
    assert set(_metrics(report(), labelled=False)) == {"explain/empty_maps"}


def test_the_layer_that_is_looked_at_has_a_name_of_the_model(subject: Subject) -> None:
    name = _layer(GradCAM(), subject, QUIET)
    assert name in dict(subject.loaded.model.named_modules())


def test_an_explainer_without_layers_names_none(subject: Subject) -> None:
    assert _layer(Saliency(), subject, QUIET) is None


def test_a_wrong_layer_is_the_users_to_mend_and_a_near_one_is_named(subject: Subject) -> None:
    with pytest.raises(UsageError, match=r"did you mean 'net\.features\.2\.conv'"):
        _layer(GradCAM(layer="net.features.2.konv"), subject, QUIET)


@pytest.mark.parametrize("layer", ["net.head", "net.classifier", "net"])
def test_a_layer_without_a_map_is_refused_before_anything_runs(layer: str, subject: Subject) -> None:
    if layer not in dict(subject.loaded.model.named_modules()):
        pytest.skip(f"this network has no {layer}")
    with pytest.raises(UsageError, match="layer must have a spatial map") as refused:
        _layer(GradCAM(layer=layer), subject, QUIET)
    assert "--list-layers" in str(refused.value.hint)


def test_each_class_can_be_asked_for_and_is_written_down(dl, tmp_path) -> None:
    words = ("explain", "gradcam", "--run", "builtin:mnist", "--limit", "4", "--class", "runner-up")
    assert dl(*words).code == 0
    (file,) = tmp_path.glob("runs/explain/gradcam/*/maps.json")
    found = json.loads(file.read_text())
    assert found["class"] == "the second likeliest class"
    assert found["layer"] in dict(load_model("builtin:mnist", which="best", device=CPU, talk=QUIET).model.named_modules())
    assert all(item["explained"] != item["predicted"] for item in found["items"])
    assert [item["index"] for item in found["items"]] == [0, 1, 2, 3]


def test_the_worst_mistakes_come_first_with_their_places_in_the_split(dl, tmp_path) -> None:
    assert dl("explain", "saliency", "--run", "builtin:mnist", "--select", "worst", "--limit", "3").code == 0
    (file,) = tmp_path.glob("runs/explain/saliency/*/maps.json")
    items = json.loads(file.read_text())["items"]
    assert all(item["target"] != item["predicted"] for item in items)
    assert min(item["index"] for item in items) > 3


def test_what_an_attack_flipped_is_explained(dl, tmp_path) -> None:
    assert dl("attack", "fgsm", "--run", "builtin:mnist", "--limit", "30", "attack.epsilon=0.1").code == 0
    (run,) = (file.parent for file in tmp_path.glob("runs/attack/fgsm/*/result.json"))
    answer = dl("explain", "gradcam", "--run", "builtin:mnist", "--select", f"flipped-by:{run.name}", "--limit", "5")
    assert answer.code == 0, answer.err
    (file,) = tmp_path.glob("runs/explain/gradcam/*/maps.json")
    rows = [line.split(",") for line in (run / "examples.csv").read_text().splitlines()[1:]]
    flipped = [int(row[0]) for row in rows if row[1] == row[2] != row[3]]
    assert [item["index"] for item in json.loads(file.read_text())["items"]] == flipped[:5]


def test_the_layers_are_listed_and_nothing_is_written(dl, tmp_path) -> None:
    answer = dl("explain", "gradcam", "--run", "builtin:mnist", "--list-layers")
    assert answer.code == 0
    assert "maps of" in answer.err
    assert "net.head" in answer.err or "Linear" in answer.err
    assert not (tmp_path / "runs").exists()


def test_a_map_that_promises_a_sum_says_what_it_misses(dl, tmp_path) -> None:
    assert dl("explain", "integrated_gradients", "--run", "builtin:mnist", "--limit", "2").code == 0
    (file,) = tmp_path.glob("runs/explain/integrated_gradients/*/result.json")
    assert 0 <= json.loads(file.read_text())["metrics"]["explain/largest_gap"]["value"] < 0.05


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--class", "elephant"), "--class elephant: the model has no such class"),
        (("--class", "12"), "--class 12: the model has no such class"),
        (("--select", "wurst"), "did you mean 'worst'"),
        (("--select", "flipped-by:nosuch"), "there is no run 'nosuch'"),
        (("--layer", "nosuch"), "layer must be a layer of the model, got 'nosuch'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words, said, dl, tmp_path) -> None:
    answer = dl("explain", "gradcam", "--run", "builtin:mnist", *words)
    assert answer.code == 2
    assert said in answer.err
    assert "try: " in answer.err
    assert not list(tmp_path.glob("runs/explain/*/*/result.json"))


def test_an_explainer_without_a_layer_says_so(dl) -> None:
    answer = dl("explain", "saliency", "--run", "builtin:mnist", "--layer", "net")
    assert answer.code == 2
    assert "explainer.layer" in answer.err
