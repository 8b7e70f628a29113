import csv
import io
import math

import pytest
import torch

from dlcli.commands.predictions import Answers, Prediction
from dlcli.metrics.calibrated import Calibration, Peers

FITTED = Calibration(2.0, {"f1": 0.3}, (Peers(0.0, 0.4, 50, 10), Peers(0.4, 1.0, 48, 41)))


def answers(classes="ab", calibration=FITTED, threshold=("0.5", 0.5), top=3) -> Answers:
    return Answers(classes=tuple(classes), calibration=calibration, threshold=threshold, top=top)


def logit(chance: float) -> float:
    return math.log(chance / (1 - chance))


def people(*chances: float, threshold=("0.5", 0.5)):
    """Rows of two classes with these calibrated p(b), on lines 2, 3 …"""
    own = answers(threshold=threshold)
    made = own.to(torch.tensor([[2 * logit(chance)] for chance in chances]))
    items = [Prediction(**{**vars(one("people.csv", "")), "line": at, "key": f"P{at}"}) for at, one in enumerate(made, start=2)]
    return own.predicted(items, key_name="person")


def test_probabilities_are_those_of_the_calibrated_logits():
    (one,) = answers("abc", threshold=None).to(torch.tensor([[2.0, 4.0, 0.0]]))
    item = one("x.png", "")
    chances = torch.tensor([1.0, 2.0, 0.0]).softmax(0).tolist()
    assert [label for label, _ in item.chances] == ["b", "a", "c"]
    assert item.chance == pytest.approx(chances[1], abs=1e-6)
    assert item.risk is None


def test_without_a_calibration_they_are_a_plain_softmax_and_nothing_was_observed():
    (one,) = answers("abc", calibration=None, threshold=None).to(torch.tensor([[1.0, 2.0, 0.0]]))
    item = one("x.png", "")
    assert item.chance == pytest.approx(float(torch.tensor([1.0, 2.0, 0.0]).softmax(0)[1]), abs=1e-6)
    assert item.observed is None


def test_top_keeps_so_many_classes():
    (one,) = answers("abcde", threshold=None, top=2).to(torch.rand(1, 5))
    assert len(one("x.png", "").chances) == 2


def test_of_two_classes_the_second_is_predicted_from_the_threshold_on():
    labels = [item.label for item in people(0.29, 0.31, 0.6, threshold=("f1", 0.3)).items]
    assert labels == ["a", "b", "b"]


def test_rows_keep_their_order_and_are_ranked_by_their_risk():
    predicted = people(0.2, 0.9, 0.5)
    assert [item.line for item in predicted.items] == [2, 3, 4]
    assert [item.rank for item in predicted.items] == [3, 1, 2]
    assert [item.line for item in predicted.read] == [3, 4, 2]


def test_the_csv_holds_every_row_in_order_with_its_line_and_key():
    rows = list(csv.DictReader(io.StringIO(people(0.2, 0.9).to_csv().decode())))
    assert [(row["line"], row["person"], row["label"], row["rank"]) for row in rows] == [
        ("2", "P2", "a", "2"),
        ("3", "P3", "b", "1"),
    ]
    assert float(rows[1]["risk"]) == pytest.approx(0.9, abs=1e-5)
    assert rows[1]["observed_n"] == "48"


def test_the_csv_names_what_could_not_be_read():
    own = answers("abc", threshold=None)
    good = own.to(torch.rand(1, 3))[0]("a.png", "a note")
    rows = list(
        csv.DictReader(io.StringIO(own.predicted([Prediction(file="b.png", error="b.png is empty"), good]).to_csv().decode()))
    )
    assert (rows[0]["label"], rows[0]["error"]) == ("", "b.png is empty")
    assert (rows[1]["note"], rows[1]["error"]) == ("a note", "")
    assert rows[1]["label_3"]


def test_a_key_column_that_is_called_as_one_of_ours_becomes_id():
    predicted = people(0.2)
    renamed = type(predicted)(**{**vars(predicted), "key_name": "label"})
    assert next(csv.reader(io.StringIO(renamed.to_csv().decode())))[:4] == ["file", "line", "id", "label"]


def test_the_plain_form_has_what_a_program_needs():
    (item,) = people(0.9).to_dicts()
    assert item["label"] == "b"
    assert item["risk"] == pytest.approx(0.9, abs=1e-6)
    assert item["id"] == {"column": "person", "value": "P2"}
    assert item["observed"]["method"] == "wilson"
    assert item["calibrated"] is True
