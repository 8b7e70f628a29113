import pytest

from dlcli.report.model_groups import groups
from dlcli.report.page import Missing, Table


def content(entry):
    members = [
        {
            "name": "Male",
            "n": 150,
            "positives": 25,
            "enough": True,
            "metrics": {"tpr": entry(0.5, 0.4, 0.6), "new_rate": entry(0.1)},
        },
        {"name": "Other", "n": 1, "positives": 0, "enough": False, "metrics": {"tpr": entry(None)}},
    ]
    differences = {"dp_difference": {**entry(0.1, 0.0, 0.2), "p": 0.3}}
    column = {"column": "Gender", "verdict": "nothing is shown", "groups": members, "differences": differences}
    return {"schema": 1, "positive": "leaves", "threshold": 0.5, "columns": [column]}


def test_groups_and_differences_are_tables_with_the_verdict_above(make_dossier, make_run, entry):
    section = groups(make_dossier(measured=(make_run("evaluate", groups=content(entry)),)))
    assert "predicted as leaves from probability 0.5 on" in section.blocks[0].text
    (part,) = section.parts
    verdict, members, differences = part.blocks
    assert (part.title, verdict.text, verdict.tone) == ("Gender", "nothing is shown", "verdict")
    assert members.header == ("group", "n", "positives", "true positive rate", "new rate")
    assert members.rows[0] == ("Male", "150", "25", "50.00 % [40.00 … 60.00 %]", "10.00 %")
    assert members.rows[1] == ("Other (too few for a verdict)", "1", "0", "–", "–")
    assert differences.rows == (("demographic-parity difference", "0.1000 [0.0000 … 0.2000]", "0.3000"),)


def test_warnings_on_a_column_stand_with_its_verdict(make_dossier, make_run):
    groups_of_it = {"columns": [{"column": "Age", "verdict": "x", "warnings": ["cells are small"], "groups": []}]}
    (part,) = groups(make_dossier(measured=(make_run("evaluate", groups=groups_of_it),))).parts
    assert [(block.text, block.tone) for block in part.blocks] == [("x", "verdict"), ("cells are small", "warning")]


def test_a_second_model_without_the_columns_stands_beside_the_first(make_dossier, make_run, entry):
    metrics = {"test/accuracy": entry(0.9), "test/without_groups/accuracy": entry(0.8)}
    metrics |= {
        "fairness/dp_difference": entry(0.2),
        "fairness/without/dp_difference": entry(0.1),
        "fairness/without/Age/x": entry(0),
    }
    run = make_run("evaluate", metrics=metrics, groups={"columns": []})
    (part,) = groups(make_dossier(measured=(run,))).parts
    table = part.blocks[1]
    assert table.rows == (("demographic-parity difference", "0.2000", "0.1000"), ("accuracy", "90.00 %", "80.00 %"))


def test_without_groups_the_command_is_shown(make_dossier):
    (missing,) = groups(make_dossier()).blocks
    assert isinstance(missing, Missing)
    assert missing.command.endswith("--groups COLUMN")


@pytest.mark.parametrize(
    "garbled",
    [
        {},
        {"columns": 3},
        {"columns": ["x"]},
        {"columns": [{"groups": "x", "differences": [], "verdict": 1}]},
        {"columns": [{"column": ["x"], "groups": [{"metrics": [], "n": "x"}, 7]}]},
        {"threshold": "x", "positive": None},
    ],
)
def test_garbled_groups_make_no_table_of_nonsense_and_no_failure(garbled, make_dossier, make_run):
    section = groups(make_dossier(measured=(make_run("evaluate", groups=garbled),)))
    cells = [
        cell for part in section.parts for block in part.blocks if isinstance(block, Table) for row in block.rows for cell in row
    ]
    assert set(cells) <= {"?", "–"}
