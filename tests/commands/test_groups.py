"""``dl evaluate --groups``, ``--without-groups`` and ``--fail-on``, from the command line."""

import json
import shutil

import pytest


@pytest.fixture(scope="module")
def _trained(tmp_path_factory, dl):
    root = tmp_path_factory.mktemp("attrition")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DL_RUNS", str(root))
        answer = dl("train", "attrition", "data.test_share=0.5", "--epochs", "3", "--quiet")
        assert answer.code == 0, answer.err
    return root


@pytest.fixture
def attrition(_trained, tmp_path):
    return shutil.copytree(_trained, tmp_path / "runs")


def newest(runs):
    return sorted(runs.glob("evaluate/*/*"))[-1]


def test_groups_come_into_the_result_the_file_and_the_terminal(dl, attrition):
    answer = dl("evaluate", "--groups", "Gender,Age:30-40,MaritalStatus*Gender", "--json")
    assert answer.code == 0, answer.err
    result = json.loads(answer.out)
    assert result["files"]["groups"] == "groups.json"
    content = json.loads((newest(attrition) / "groups.json").read_text())
    assert (content["schema"], content["positive"], content["threshold"]) == (1, "Yes", 0.5)
    gender, age, pairs = content["columns"]
    assert [(group["name"], group["n"]) for group in gender["groups"]] == [("Female", 282), ("Male", 453)]
    assert [group["name"] for group in age["groups"]] == ["below 30", "30–39", "40+"]
    assert len(pairs["groups"]) == 6
    difference = result["metrics"]["fairness/Gender/dp_difference"]
    rates = [group["metrics"]["selection_rate"]["value"] for group in gender["groups"]]
    assert difference["value"] == pytest.approx(max(rates) - min(rates))
    names = ("Gender", "Age", "MaritalStatus*Gender")
    worst = max(result["metrics"][f"fairness/{name}/dp_difference"]["value"] for name in names)
    assert result["metrics"]["fairness/dp_difference"]["value"] == worst
    assert "MaritalStatus*Gender" in answer.err
    assert "insufficient data" in answer.err or all(group["enough"] for group in pairs["groups"])


def test_dropped_columns_are_compared_on_the_same_examples(dl, attrition):
    answer = dl("evaluate", "--groups", "Age:30-40,Gender", "--without-groups", "--json")
    assert answer.code == 0, answer.err
    content = json.loads((newest(attrition) / "groups.json").read_text())
    assert content["without"]["dropped"] == ["Age", "Gender"]
    own, other = content["columns"], content["without"]["columns"]
    assert [group["n"] for group in own[0]["groups"]] == [group["n"] for group in other[0]["groups"]]
    base = [[group["metrics"]["base_rate"] for group in columns[0]["groups"]] for columns in (own, other)]
    assert base[0] == base[1]
    metrics = json.loads(answer.out)["metrics"]
    assert metrics["fairness/without/Age/dp_difference"]["value"] == other[0]["differences"]["dp_difference"]["value"]
    assert metrics["test/without_groups/accuracy"]["n"] == 735
    assert "Age, with it and without" in answer.err


def test_a_tripped_bound_ends_in_1_after_everything_is_written(dl, attrition):
    answer = dl("evaluate", "--fail-on", "test/accuracy<=1,test/auroc<0", "--json")
    assert answer.code == 1
    assert json.loads(answer.out)["verb"] == "evaluate"  # the result alone, and no second document
    lines = [line for line in answer.errors if line.startswith("error:")]
    assert len(lines) == 1
    assert lines[0].startswith("error: test/accuracy<=1: test/accuracy is 0.")
    run = newest(attrition)
    assert (run / "result.json").read_text() == answer.out
    assert json.loads((run / "run.json").read_text())["failure"] is None


def test_bounds_that_hold_change_nothing(dl, attrition):
    assert dl("evaluate", "--groups", "Gender", "--fail-on", "fairness/dp_difference>1,test/accuracy<0", "--quiet").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--groups", "Gendre"), "did you mean 'Gender'"),
        (("--groups", "Age"), "expected the edges of ranges"),
        (("--groups", "Age:90"), "expected at least two groups"),
        (("--groups", "Gender", "--limit", "1"), "expected at least two groups"),
        (("--groups", "Gender", "--fail-on", "fairness/dp_diference>0.1"), "did you mean 'fairness/dp_difference'"),
        (("--fail-on", "fairness/dp_difference>0.1"), "no metric 'fairness/dp_difference'"),
        (("--fail-on", "test/accuracy<x"), "'x' is no number"),
        (("--without-groups",), "names them"),
        (("--groups", "Gender", "--without-groups", "--split", "train"), "neither has seen"),
        (("--groups", "EmployeeNumber:500", "--without-groups"), "reads none of EmployeeNumber"),
    ],
)
def test_what_is_typed_wrong_is_said_in_a_line_before_a_run_is_made(dl, attrition, words, message):
    answer = dl("evaluate", *words)
    assert answer.code == 2
    assert any(message in line for line in answer.errors), answer.err
    assert not (attrition / "evaluate").exists()


def test_images_have_groups_by_a_file_and_no_second_model(dl, runs, tmp_path):
    file = tmp_path / "pens.csv"
    file.write_text("index,pen\n" + "".join(f"{row},{('thin', 'thick')[row % 2]}\n" for row in range(200)))
    answer = dl("evaluate", "--limit", "200", "--groups", f"{file}:pen", "--json")
    assert answer.code == 0, answer.err
    metrics = json.loads(answer.out)["metrics"]
    assert "fairness/pen/accuracy_difference" in metrics
    assert "fairness/pen/auroc_gap" not in metrics
    refused = dl("evaluate", "--limit", "200", "--groups", f"{file}:pen", "--without-groups")
    assert refused.code == 2
    assert "none that dl train made of a table" in refused.err
