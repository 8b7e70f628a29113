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


def test_a_run_is_shown_with_its_command_settings_figures_and_files(dl, runs):
    answer = dl("runs", "show", "flat")
    assert answer.code == 0, answer.err
    for words in ("repeat   dl train digits", "default 20", "n = 270, wilson", "plots/curves.png", "torch ", "digest "):
        assert words in answer.out


def test_two_runs_are_compared_in_words_and_as_json(dl, runs):
    answer = dl("runs", "diff", "digits", "flat")
    assert answer.code == 0, answer.err
    assert "only model (SmallCNN → MLP) differs, with its settings: test accuracy" in answer.out
    items = json.loads(dl("runs", "diff", "digits", "flat", "--json").out)["items"]
    assert {item["kind"] for item in items} == {"run", "change", "metric", "conclusion"}


def test_the_best_runs_are_ranked(dl, runs):
    lines = dl("runs", "best").out.splitlines()
    assert lines[:2] == ["test/accuracy, higher is better", "on digits"]
    assert lines[2].endswith("best")
    items = json.loads(dl("runs", "best", "nll", "--json", "--name", "flat").out)["items"]
    assert [(item["metric"], item["name"], item["rank"]) for item in items] == [("test/nll", "flat", 1)]


def test_the_word_list_and_the_filters_choose_what_is_listed(dl, runs):
    assert dl("runs", "list").out == dl("runs").out
    assert json.loads(dl("runs", "list", "attack", "--json").out)["items"] == []
    assert [item["name"] for item in json.loads(dl("runs", "--name", "flat", "--json").out)["items"]] == ["flat"]
    assert "no attack runs in" in dl("runs", "--verb", "attack").err


def test_no_action_loads_torch(python, runs):
    code = "import sys; from dlcli.cli.answer import exit_code_of as dl; dl(sys.argv[1:]); print('torch' in sys.modules)"
    for words in (["runs"], ["runs", "show", "digits"], ["runs", "diff", "digits", "flat"], ["runs", "best"]):
        answer = python(code, *words, DL_RUNS=str(runs))
        assert answer.out.splitlines()[-1] == "False", answer.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["show"], 2, "dl runs show RUN: expected 1 word, got none"),
        (["show", "nothing"], 2, "there is no run 'nothing'"),
        (["show", "2"], 2, "'2' fits 2 runs"),
        (["show", "a/b"], 2, "there is no run folder at 'a/b'"),
        (["show", "builtin:mnist"], 2, "is a model, not a run"),
        (["diff", "digits"], 2, "dl runs diff A B: expected 2 words, got 1: digits"),
        (["diff", "digits", "flat", "x"], 2, "expected 2 words, got 3"),
        (["diff", "digits", "digits"], 2, "both words name the run"),
        (["diff", "digits", "flta"], 2, "did you mean 'flat'?"),
        (["best", "acuracy"], 2, "did you mean 'accuracy'"),
        (["best", "--verb", "trian"], 2, "did you mean 'train'?"),
        (["shwo", "digits"], 2, "did you mean 'show'?"),
        (["train", "evaluate"], 2, "expected at most 1, got 2"),
        (["show", "digits", "--verb", "train"], 2, "--verb is for list and best"),
    ],
)
def test_what_is_typed_wrong_is_said_in_one_line(words, code, said, dl, runs):
    answer = dl("runs", *words)
    assert answer.code == code
    first, *rest = answer.err.splitlines()
    assert first.startswith("error: ")
    assert said in first
    assert len(rest) <= 1
