"""The boundary of a model in the plane: which points lie where, and who gets a picture."""

from __future__ import annotations

import json

import torch
from torch import nn

from dlcli.classifier import Classifier
from dlcli.commands.boundary import grid_probabilities, is_plane
from dlcli.contracts import Column, DataSpec

NUMBERS = (Column(name="x"), Column(name="y"))


def spec(columns: tuple[Column, ...], kind: str = "table") -> DataSpec:
    width = len(columns)
    return DataSpec(
        name="t",
        shape=(width,),
        classes=("a", "b"),
        mean=(0.0,) * width,
        std=(1.0,) * width,
        kind=kind,
        epsilon={},
        columns=columns,
    )


def test_only_two_numbers_make_a_plane():
    assert is_plane(spec(NUMBERS))
    assert not is_plane(spec((*NUMBERS, Column(name="z"))))
    assert not is_plane(spec((NUMBERS[0], Column(name="city", categories=("Ulm",)))))
    assert not is_plane(DataSpec(name="i", shape=(2, 8, 8), classes=("a", "b"), mean=(0.0,) * 2, std=(1.0,) * 2, epsilon={}))


def test_a_row_of_the_grid_is_a_value_of_the_second_column():
    net = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, 10.0]]))
    x, y = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([-1.0, 1.0])
    chances = grid_probabilities(Classifier(spec(NUMBERS), net), x, y, batch_size=4)
    assert chances.shape == (2, 3, 2)
    torch.testing.assert_close(chances[:, :, 1], torch.sigmoid(x[None, :] + 10 * y[:, None]))


def test_a_run_on_points_holds_the_picture_and_one_on_a_truth_table_its_train_accuracy_alone(dl, tmp_path):
    answer = dl("train", "perceptron", "--quiet")
    assert answer.code == 0, answer.err
    (run,) = [path.parent for path in (tmp_path / "runs").glob("train/perceptron/*/result.json")]
    result = json.loads((run / "result.json").read_text())
    assert result["metrics"] == {"train/accuracy": {"value": 1.0, "low": None, "high": None, "n": 4, "method": None}}
    assert (run / result["files"]["boundary"]).read_bytes().startswith(b"\x89PNG")


def test_one_neuron_learns_or_and_never_exclusive_or_and_a_hidden_layer_does(dl, tmp_path):
    reached = {}
    for name, words in {"or": ("perceptron", "data=or"), "xor": ("perceptron", "data=xor"), "hidden": ("xor",)}.items():
        answer = dl("train", *words, "--name", name, "--json", "--quiet")
        assert answer.code == 0, answer.err
        reached[name] = json.loads(answer.out)["metrics"]["train/accuracy"]["value"]
    assert reached["or"] == 1.0
    assert reached["xor"] <= 0.75
    assert reached["hidden"] == 1.0
