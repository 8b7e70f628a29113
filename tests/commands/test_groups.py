"""``dl evaluate --groups``, from the command line."""

import json

import pytest


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
    assert "dl learn ethics" in answer.err
    assert "insufficient data" in answer.err or all(group["enough"] for group in pairs["groups"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--groups", "Gendre"), "did you mean 'Gender'"),
        (("--groups", "Age"), "expected the edges of ranges"),
        (("--groups", "Age:90"), "expected at least two groups"),
        (("--groups", "Gender", "--limit", "1"), "expected at least two groups"),
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
