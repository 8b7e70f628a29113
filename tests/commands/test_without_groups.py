"""``dl evaluate --groups … --without-groups``, from the command line."""

import json

import pytest


def newest(runs):
    return sorted(runs.glob("evaluate/*/*"))[-1]


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
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
