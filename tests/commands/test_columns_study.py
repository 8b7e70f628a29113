"""What columns weigh, on a trained table."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli.commands.columns_study import ColumnImportance


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    import dlcli

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(tmp_path_factory.mktemp("runs")))
        return str(dlcli.train("attrition", epochs=10).path)


def test_the_column_that_leavers_share_leads_both_orders(dl: Any, model: str, tmp_path: Path) -> None:
    answer = dl("explain", "columns", "--run", model, "--groups", "Gender,Age:30-40", "study.draws=2")
    assert answer.code == 0, answer.err
    assert "OverTime weighs most of 30 columns, n = 220" in answer.err
    assert "Age: below 30 less the rest" in answer.err
    (file,) = (tmp_path / "runs").glob("explain/columns/*/columns.npz")
    folder = file.parent
    assert (folder / "plots" / "columns.png").exists()
    with np.load(file) as archive:
        arrays = dict(archive)
    assert arrays["attributions"].shape == (220, 30)
    # Two groups are compared once, three each with the rest.
    assert arrays["differences"].shape == ((1 + 3) * 30, 3)
    weights = list(csv.DictReader((folder / "weights.csv").read_text().splitlines()))
    assert max(weights, key=lambda row: float(row["importance"]))["column"] == "OverTime"
    assert float(weights[0]["importance_low"]) <= float(weights[0]["importance"]) <= float(weights[0]["importance_high"])
    groups = list(csv.DictReader((folder / "groups.csv").read_text().splitlines()))
    assert {row["group"] for row in groups} > {"Gender: Female less Male", "Age: 40+ less the rest"}
    assert [float(row["difference"]) for row in groups] == pytest.approx(arrays["differences"][:, 0].tolist(), abs=1e-6)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["study.groups=[Gendr]"], "did you mean 'Gender'"),
        (["--groups", "MonthlyIncome"], "expected the edges of ranges"),
        (["--limit", "1"], "needs 2 examples"),
        (["study.draws=0"], "draws must be at least 1"),
        (["--run", "builtin:mnist"], "looks at tables"),
    ],
)
def test_mistakes_are_named(dl: Any, model: str, tmp_path: Path, *, typed: list[str], said: str) -> None:
    answer = dl("explain", "columns", *(["--run", model] if "--run" not in typed else []), *typed)
    assert answer.code == 2
    assert said in answer.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["examples", "draws", "shown"])
def test_values_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        ColumnImportance(**{name: 0})
