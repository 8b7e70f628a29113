"""``dl evaluate --fail-on``, from the command line."""

import json

import pytest


def newest(runs):
    return sorted(runs.glob("evaluate/*/*"))[-1]


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
        (("--groups", "Gender", "--fail-on", "fairness/dp_diference>0.1"), "did you mean 'fairness/dp_difference'"),
        (("--fail-on", "fairness/dp_difference>0.1"), "no metric 'fairness/dp_difference'"),
        (("--fail-on", "test/acuracy<0.5"), "did you mean 'test/accuracy'"),
        (("--fail-on", "test/accuracy<x"), "'x' is no number"),
    ],
)
def test_what_is_typed_wrong_is_said_in_a_line_before_a_run_is_made(dl, attrition, words, message):
    answer = dl("evaluate", *words)
    assert answer.code == 2
    assert any(message in line for line in answer.errors), answer.err
    assert not (attrition / "evaluate").exists()
