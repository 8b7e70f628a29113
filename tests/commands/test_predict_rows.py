import pytest
import torch

from dlcli.classifier import Classifier
from dlcli.commands.console import Talk
from dlcli.commands.predict_rows import predict_rows
from dlcli.commands.predictions import Answers
from dlcli.contracts import Column, DataSpec
from dlcli.errors import DataError

SPEC = DataSpec(
    name="people",
    shape=(1,),
    classes=("No", "Yes"),
    mean=(0.0,),
    std=(1.0,),
    kind="table",
    epsilon={},
    columns=(Column(name="age", low=0, high=100),),
)


class Loaded:
    """A model whose logit is the age."""

    model = Classifier(SPEC, torch.nn.Identity()).eval()
    name = "people"


def rows(*paths, batch_size=2):
    answers = Answers(classes=SPEC.classes, calibration=None, threshold=("0.5", 0.5), top=2)
    return predict_rows(paths, Loaded(), answers, batch_size=batch_size, talk=Talk(quiet=True), check=lambda: None)


def test_each_row_has_its_line_its_key_and_the_models_probability(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,age,left\nx,1,No\n\ny,-2,Yes\nz,0,No\n")
    predicted = rows(path)
    assert [(item.line, item.key) for item in predicted.items] == [(2, "x"), (4, "y"), (5, "z")]
    expected = torch.tensor([1.0, -2.0, 0.0]).sigmoid().tolist()
    assert [item.risk for item in predicted.items] == pytest.approx(expected)
    assert [item.rank for item in predicted.items] == [1, 3, 2]


def test_several_files_are_ranked_together(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("age\n1\n2\n")
    second.write_text("age\n3\n")
    assert [item.rank for item in rows(first, second).items] == [3, 2, 1]


def test_a_table_without_the_models_columns_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("agee,b\n1,2\n")
    with pytest.raises(DataError, match="lacks 1 of the model's 1 columns: age; did you mean 'agee'"):
        rows(path)
