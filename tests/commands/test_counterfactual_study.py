"""What would have to change, on a trained table."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dlcli.classifier import probabilities
from dlcli.commands.counterfactual_study import Counterfactuals


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    import dlcli

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(tmp_path_factory.mktemp("runs")))
        return str(dlcli.train("attrition", epochs=10).path)


def folder_of(tmp_path: Path) -> Path:
    (file,) = (tmp_path / "runs").glob("explain/counterfactual/*/counterfactuals.csv")
    return file.parent


def changes_in(tmp_path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder_of(tmp_path) / "counterfactuals.csv").read_text().splitlines()))


def test_what_is_said_of_a_row_is_what_the_model_says_of_it(dl: Any, model: str, tmp_path: Path) -> None:
    import dlcli

    answer = dl("explain", "counterfactual", "--run", model, "study.examples=3")
    assert answer.code == 0, answer.err
    with np.load(folder_of(tmp_path) / "counterfactual.npz") as archive:
        arrays = dict(archive)
    classifier = dlcli.load(model)
    chances = probabilities(classifier(torch.from_numpy(arrays["rows"]))).detach()[:, 0]
    lines = [line for line in answer.err.splitlines() if line.startswith("row ")]
    assert len(lines) == 3
    for line, index, chance in zip(lines, arrays["index"], chances, strict=True):
        assert line.startswith(f"row {index}: ")
        assert line.endswith(f"→ {100 * float(chance):.0f} %")
        assert ("none found" in line) == (float(chance) < 0.5)
    changed = changes_in(tmp_path)
    assert changed
    assert {row["column"] for row in changed}.isdisjoint({"Age", "Gender", "YearsAtCompany", "MaritalStatus"})
    content = json.loads((folder_of(tmp_path) / "items.json").read_text())
    assert [item["index"] for item in content["items"]] == arrays["index"].tolist()
    assert content["goal"] == "No"
    assert {"Age", "Gender"} <= set(content["immutable"])


def test_columns_that_may_only_grow_do_and_others_stay(dl: Any, model: str, tmp_path: Path) -> None:
    words = ["study.immutable=[Age,OverTime]", "study.increasing=[MonthlyIncome,DistanceFromHome]", "study.columns=2"]
    assert dl("explain", "counterfactual", "--run", model, *words).code == 0
    changed = changes_in(tmp_path)
    assert "OverTime" not in {row["column"] for row in changed}
    for row in changed:
        if row["column"] in {"MonthlyIncome", "DistanceFromHome"}:
            assert float(row["after"]) > float(row["before"])
    per_row = [row["index"] for row in changed]
    assert max(per_row.count(index) for index in per_row) <= 2


def test_rows_of_ones_choice_are_looked_at_and_one_that_is_there_already_stays(dl: Any, model: str, tmp_path: Path) -> None:
    answer = dl(
        "explain", "counterfactual", "--run", model, "study.rows=[7,0]", "study.chance=0.01", "--immutable", " age,Gender"
    )
    assert answer.code == 0, answer.err
    lines = [line for line in answer.err.splitlines() if line.startswith("row ")]
    assert [line.partition(":")[0] for line in lines] == ["row 7", "row 0"]
    assert all("as it stands" in line for line in lines)
    assert "Age, Gender stay as they are" in answer.err
    assert changes_in(tmp_path) == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["study.goal=Noo"], "did you mean 'No'"),
        (["study.immutable=[Agee]"], "did you mean 'Age'"),
        (["--immutable", "Agee"], "try: --immutable NAME,NAME"),
        (["study.increasing=Agee"], "did you mean 'Age'"),
        (["study.rows=220"], "expected 0 to 219"),
        (["study.chance=1"], "below 1"),
        (["study.chance=0.0001"], "already"),
        (["--run", "builtin:mnist"], "looks at tables"),
    ],
)
def test_mistakes_are_named(dl: Any, model: str, typed: list[str], said: str) -> None:
    answer = dl("explain", "counterfactual", *(["--run", model] if "--run" not in typed else []), *typed)
    assert answer.code == 2
    assert said in answer.err


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Counterfactuals(columns=0)
