import json

import pytest


def test_an_empty_folder_says_how_to_make_a_run(dl, tmp_path):
    answer = dl("runs")
    assert answer.code == 0
    assert answer.out == ""
    assert answer.err == f"no runs in {tmp_path / 'runs'}; make one: dl train mnist\n"
    assert json.loads(dl("runs", "--json").out)["items"] == []


def test_each_run_has_one_line_with_its_main_metric_and_interval(dl, runs):
    lines = dl("runs").out.splitlines()
    assert lines[0].split() == ["id", "verb", "name", "state", "result", "seconds", "started"]
    assert [line.split()[1:4] for line in lines[1:]] == [["train", "digits", "finished"], ["train", "flat", "finished"]]
    assert all("test/accuracy" in line and "[" in line for line in lines[1:])


def test_only_one_verbs_runs_and_only_the_newest(dl, runs):
    assert json.loads(dl("runs", "evaluate", "--json").out)["items"] == []
    assert [item["name"] for item in json.loads(dl("runs", "train", "-n", "1", "--json").out)["items"]] == ["digits"]


@pytest.mark.parametrize("name", ["run.json", "result.json"])
@pytest.mark.parametrize("content", ["", "not json", "[]", "[" * 5000, '{"schema": 99}'])
def test_a_broken_run_is_listed_as_broken_beside_the_others(name, content, dl, runs):
    next(runs.glob(f"train/flat/*/{name}")).write_text(content)
    answer = dl("runs", "--json")
    states = {item["name"]: item["state"] for item in json.loads(answer.out)["items"]}
    assert states == {"digits": "finished", "flat": "broken"}
    assert dl("runs").code == 0


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": {"test/accuracy": 5}},
        {"metrics": {"test/accuracy": {"value": "x"}}},
        {"metrics": {"test/accuracy": {"value": 0.5, "low": "a", "high": None}}},
        {"metrics": {}},
    ],
)
def test_a_foreign_record_never_breaks_the_list(change, dl, runs):
    path = next(runs.glob("train/flat/*/result.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    record = path.with_name("run.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), "start": "yesterday"}))
    answer = dl("runs")
    assert answer.code == 0, answer.err
    assert len(answer.out.splitlines()) == 3


def test_a_folders_name_cannot_drive_the_terminal(dl, runs):
    (runs / "train" / "flat").rename(runs / "train" / "fl\x1b[31mat")
    assert "\x1b" not in dl("runs").out


def test_ids_are_never_cut(dl, runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    ids = [path.parent.name for path in runs.glob("train/*/*/run.json")]
    assert [name for name in ids if name not in dl("runs").out] == []
