from rich.console import Console

from dlcli.report.group_table import beside, group_tables

NUMBER = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 100, "method": "wilson"}
UNKNOWN = {"value": None, "low": None, "high": None, "n": 1, "method": None}
DIFFERENCE = {**NUMBER, "p": 0.0004, "between": ["bad\x1b[2J", "b"], "left_out": []}
NAMES = ("base_rate", "selection_rate", "tpr", "fpr", "accuracy", "auroc", "calibration_gap")


def column(**changes):
    groups = [
        {"name": "bad\x1b[2J", "n": 100, "positives": 50, "lacking": None, "metrics": dict.fromkeys(NAMES, NUMBER)},
        {"name": "b", "n": 1, "positives": 0, "lacking": "1 of 30 examples", "metrics": dict.fromkeys(NAMES, UNKNOWN)},
    ]
    unknown = {**UNKNOWN, "p": None, "between": None, "left_out": ["b"]}
    differences = {"dp_difference": DIFFERENCE, "auroc_gap": unknown}
    return {"column": "c", "verdict": "differs", "warnings": ["mind"], "groups": groups, "differences": differences, **changes}


def shown(renderable):
    console = Console(width=200, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def test_the_table_says_rates_differences_verdict_and_what_is_lacking():
    text = shown(group_tables([column()], classes=("No", "Yes")))
    assert "called Yes" in text
    assert "50.0 [40, 60]" in text
    assert "insufficient data: 1 of 30 examples" in text
    assert "0.500 [0.400, 0.600]  <0.001" in text
    assert "c: differs" in text
    assert "warning: mind" in text


def test_foreign_names_are_made_safe():
    text = shown(group_tables([column()], classes=("No", "Y\x1bes")))
    assert "\x1b" not in text
    assert "bad\\x1b[2J" in text


def test_two_models_stand_side_by_side():
    other = column(differences={"dp_difference": {**DIFFERENCE, "value": 0.25}, "auroc_gap": DIFFERENCE})
    text = shown(beside([column()], [other], scores={"accuracy": (NUMBER, {**NUMBER, "value": 0.75})}))
    line = next(line for line in text.splitlines() if line.startswith("demographic parity"))
    assert line.index("0.500") < line.index("0.250")
    assert "0.750" in text


def test_of_more_classes_the_one_that_differs_most_is_named():
    text = shown(group_tables([column(differences={"dp_difference": {**DIFFERENCE, "class": 2}})], classes=("x", "y", "z")))
    assert "and b, called z" in text
    assert "selected = called" not in text
