"""What an explanation leaves behind."""

import io
import json

import numpy as np
import torch

from dlcli.commands.explain_files import captions, joined, maps_json, maps_npz
from dlcli.engine.attribute import ExplainReport

CLASSES = ("cat", "dog", "fox")


def report(explained: tuple[int, int] = (0, 1)) -> ExplainReport:
    maps = torch.stack([torch.zeros(2, 2), torch.tensor([[0.0, 1.0], [0.0, -2.0]])])
    predicted, targets, index = torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([0, 1])
    return ExplainReport(
        torch.zeros(2, 1, 2, 2), maps, targets, predicted, torch.tensor(explained), torch.tensor([0.9, 0.6]), index
    )


def test_the_archive_holds_raw_signed_maps_with_what_they_belong_to_and_no_pickle() -> None:
    archive = np.load(io.BytesIO(maps_npz(report())), allow_pickle=False)
    assert archive["maps"].min() == -2.0
    assert archive["index"].tolist() == [0, 1]
    assert archive["predicted"].tolist() == archive["explained"].tolist() == [0, 1]


def test_batches_are_joined() -> None:
    whole = joined([report(), report((2, 0))])
    assert whole.explained.tolist() == [0, 1, 2, 0]
    assert len(whole.maps) == 4


def test_the_file_says_what_each_map_is_for_and_whether_it_is_empty() -> None:
    found = json.loads(maps_json(report(), CLASSES, about={"layer": "4"}, more=[{"gap": 0.1}, {"gap": 0.2}]))
    assert found["layer"] == "4"
    assert [item["status"] for item in found["items"]] == ["no positive evidence", "ok"]
    assert [item["explained"] for item in found["items"]] == ["cat", "dog"]
    assert [item["gap"] for item in found["items"]] == [0.1, 0.2]


def test_captions_say_what_is_true_where_it_is_another_class() -> None:
    assert captions(report(), CLASSES, labelled=True) == ["cat 90 %", "dog 60 %\nis cat"]
    assert captions(report(), CLASSES, labelled=False) == ["cat 90 %", "dog 60 %"]


def test_captions_say_what_was_predicted_where_another_class_is_explained() -> None:
    said = captions(report((2, 0)), CLASSES, labelled=True)
    assert said == ["fox 90 %\ntaken for cat\nrightly", "cat 60 %\ntaken for dog\nwhich it is"]
