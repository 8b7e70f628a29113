import json

import pytest
import torch

from dlcli.commands.console import Talk
from dlcli.commands.models import load_model
from dlcli.commands.predict import PredictSettings, answers_of
from dlcli.errors import UsageError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top": 0}, "--top 0: expected 1 or more"),
        ({"batch_size": 0}, "--batch-size 0"),
        ({"limit": 0}, "--limit 0"),
        ({"ingest": "plian"}, "did you mean 'plain'"),
        ({"csv": "answers.txt"}, r"ends in \.csv"),
        ({"picture": "seen.jpg"}, r"ends in \.png"),
    ],
)
def test_a_value_out_of_range_is_named_by_its_flag(settings, message):
    with pytest.raises(UsageError, match=message):
        PredictSettings(**settings)


def test_a_file_that_is_none_of_ours_is_left_alone(tmp_path):
    (tmp_path / "people.csv").write_text("name,age\nAnn,3\n")
    with pytest.raises(UsageError, match="is no table of predictions"):
        PredictSettings(csv=str(tmp_path / "people.csv"))
    (tmp_path / "labels.csv").write_text("file,label\na.jpg,hen\n")
    with pytest.raises(UsageError, match="is no table of predictions"):
        PredictSettings(csv=str(tmp_path / "labels.csv"))
    header = "file,label,probability,observed,observed_low,observed_high,observed_n,note,error"
    (tmp_path / "old.csv").write_text(header + "\n")
    assert PredictSettings(csv=str(tmp_path / "old.csv")).csv


@pytest.fixture(scope="module")
def people(tmp_path_factory, dl):
    """A runs folder with a model of two classes, and the table that it knows."""
    root = tmp_path_factory.mktemp("people")
    table = root / "people.csv"
    table.write_text(
        "person_id,age,left\n" + "".join(f"p{row},{20 + row % 40},{'Yes' if row % 40 > 25 else 'No'}\n" for row in range(200))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(root / "runs"))
        answer = dl("train", "--data", str(table), "--target", "left", "--epochs", "3", "--quiet", "data.drop=[person_id]")
        assert answer.code == 0, answer.err
    return root


@pytest.fixture
def own(people, monkeypatch):
    monkeypatch.setenv("DL_RUNS", str(people / "runs"))
    return people


def loaded():
    return load_model(None, which="best", device=torch.device("cpu"), talk=Talk(quiet=True))


def test_a_threshold_is_a_name_that_was_fitted_or_a_number(own):
    model = loaded()
    name, value = answers_of(model, top=3, threshold="f1").threshold or ("", 0)
    assert name == "f1"
    assert value == model.checkpoint.calibration["threshold/f1"]
    assert answers_of(model, top=3, threshold="0.25").threshold == ("0.25", 0.25)
    assert answers_of(model, top=3, threshold=None).threshold == ("0.5", 0.5)


@pytest.mark.parametrize(("typed", "words"), [("top_15", "did you mean 'top_5'"), ("1.5", "between 0 and 1"), ("nan", "between")])
def test_another_threshold_is_refused(own, typed, words):
    with pytest.raises(UsageError, match=words):
        answers_of(loaded(), top=3, threshold=typed)


def test_the_people_most_at_risk_come_first_and_all_are_in_the_csv(own, dl, tmp_path):
    out = tmp_path / "answers.csv"
    answer = dl("predict", str(own / "people.csv"), "--csv", str(out), "--limit", "5")
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0].split()[:3] == ["rank", "line", "person_id"]
    assert [line.split()[0] for line in lines[1:6]] == ["1", "2", "3", "4", "5"]
    assert "validation examples" in lines[1]
    assert len(out.read_text().splitlines()) == 201
    assert "ignored, the model does not know them: person_id, left" in answer.err


def test_the_probabilities_are_the_calibrated_ones(own, dl):
    items = json.loads(dl("predict", str(own / "people.csv"), "--json", "-q").out)["items"]
    model = loaded()
    ages = torch.tensor([[20.0 + row % 40] for row in range(200)])
    with torch.no_grad():
        logits = model.model(ages).double() / model.checkpoint.calibration["temperature"]
    expected = (logits.sigmoid()[:, 0] if logits.shape[1] == 1 else logits.softmax(1)[:, 1]).tolist()
    assert [item["risk"] for item in items] == pytest.approx(expected, abs=1e-5)
    assert all(item["calibrated"] for item in items)


def test_a_picture_of_a_table_is_refused_before_anything_is_predicted(own, dl, tmp_path):
    answer = dl("predict", str(own / "people.csv"), "--picture", str(tmp_path / "a.png"))
    assert answer.code == 2
    assert "--picture draws images" in answer.err
